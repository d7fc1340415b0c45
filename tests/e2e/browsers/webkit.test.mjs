// The page in WebKitGTK, the nearest to Safari that runs on Linux.
import test from 'node:test';
import { program, webkit } from '../lib/webdriver.mjs';
import { sameKinds } from './kinds.mjs';
import { race, story } from './story.mjs';

const [DRIVER, DISPLAY] = [program('WebKitWebDriver'), program('Xvfb')];
const skip = DRIVER && DISPLAY ? false : 'no WebKitWebDriver or no Xvfb on the PATH: install webkit2gtk-driver and xvfb';

const open = () => webkit(DRIVER, DISPLAY);

test('from an ancestor to a small model in WebKit', { skip, timeout: 600_000 }, (t) => story(t, open));
test('own files, two cores and no server in WebKit', { skip, timeout: 300_000 }, (t) => race(t, open));
test('every kind of model and of pictures is in WebKit what it is in Chromium', { skip, timeout: 900_000 }, () => sameKinds(open));
