// The page in the installed Firefox.
import test from 'node:test';
import { firefox, program } from '../lib/webdriver.mjs';
import { story } from './story.mjs';

const FIREFOX = process.env.FIREFOX ?? program('firefox-esr', 'firefox');
const skip = FIREFOX ? false : 'no Firefox on the PATH: install it, or name it in FIREFOX';

test('the story goes through in Firefox', { skip, timeout: 600_000 }, (t) => story(t, () => firefox(FIREFOX)));
