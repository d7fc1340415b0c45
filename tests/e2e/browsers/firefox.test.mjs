// The page in the installed Firefox.
import test from 'node:test';
import { firefox, program } from '../lib/webdriver.mjs';
import { sameKinds } from './kinds.mjs';
import { race, story } from './story.mjs';

const FIREFOX = process.env.FIREFOX ?? program('firefox-esr', 'firefox');
const skip = FIREFOX ? false : 'no Firefox on the PATH: install it, or name it in FIREFOX';

const open = () => firefox(FIREFOX);

test('from an ancestor to a small model in Firefox', { skip, timeout: 600_000 }, (t) => story(t, open));
test('own files, two cores and no server in Firefox', { skip, timeout: 300_000 }, (t) => race(t, open));
test('every kind of model and of pictures is in Firefox what it is in Chromium', { skip, timeout: 900_000 }, () => sameKinds(open));
