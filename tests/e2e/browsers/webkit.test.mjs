// The page in WebKitGTK, the nearest to Safari that runs on Linux.
import test from 'node:test';
import { program, webkit } from '../lib/webdriver.mjs';
import { story } from './story.mjs';

const [DRIVER, DISPLAY] = [program('WebKitWebDriver'), program('Xvfb')];
const skip = DRIVER && DISPLAY ? false : 'no WebKitWebDriver or no Xvfb on the PATH: install webkit2gtk-driver and xvfb';

test('the story goes through in WebKit', { skip, timeout: 600_000 }, (t) => story(t, () => webkit(DRIVER, DISPLAY)));
