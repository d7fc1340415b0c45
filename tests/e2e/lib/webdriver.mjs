// Browsers other than Chromium, by the protocol they bring themselves: Marionette (Firefox) and WebDriver (WebKitGTK).
// Playwright drives only builds of its own, so a tab here answers to as much of its interface as `steps.mjs` asks for.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { temporaryFolder } from './files.mjs';

const pause = (ms) => new Promise((then) => setTimeout(then, ms));
/** Starting takes a second on an idle machine. */
const START = 60_000;

// A signal alone would leave the browsers behind.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Where a program is, or nothing. */
export function program(...names) {
  const folders = process.env.PATH.split(path.delimiter);
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => fs.existsSync(file));
}

/** A program that ends with the test, and the lines it said. */
class Running {
  constructor(file, args, options = {}) {
    this.lines = [];
    // A group of its own: a browser's helpers outlive it otherwise.
    this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
    this.ended = new Promise((then) => this.child.once('exit', then));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        this.lines.push(...lines);
      });
    }
    this.stop = () => {
      try {
        process.kill(-this.child.pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    };
    process.on('exit', this.stop);
  }

  /** Stops it and waits until it is gone. */
  async end() {
    process.off('exit', this.stop);
    this.stop();
    await this.ended;
  }
}

/** Waits until `found()` gives something. */
async function until(found, what, timeout = START) {
  const end = Date.now() + timeout;
  while (Date.now() < end) {
    const value = await found();
    if (value) return value;
    await pause(100);
  }
  assert.fail(`${what} did not come in ${timeout / 1000} s`);
}

/** The first key of an element's reference is the protocol's, its value names the element. */
const named = (element) => Object.values(element)[0];

/** Firefox speaks Marionette by itself: JSON with its length before it, over a plain socket. */
export async function firefox(file) {
  const profile = temporaryFolder();
  const downloads = temporaryFolder();
  const settings = {
    'marionette.port': 0,
    'browser.download.dir': downloads,
    'browser.download.folderList': 2,
    // What the page and its workers say, errors too, goes to the output, where it is read.
    'devtools.console.stdout.content': true,
    'browser.dom.window.dump.enabled': true,
    // No calls home.
    'app.normandy.enabled': false,
    'app.update.enabled': false,
    'browser.safebrowsing.malware.enabled': false,
    'browser.safebrowsing.phishing.enabled': false,
    'datareporting.healthreport.uploadEnabled': false,
    'extensions.systemAddon.update.enabled': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'services.settings.server': 'data:,',
    'toolkit.telemetry.enabled': false,
  };
  const lines = Object.entries(settings).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
  fs.writeFileSync(path.join(profile, 'user.js'), lines.join('\n'));
  const running = new Running(file, ['--headless', '--no-remote', '--marionette', '--profile', profile], { env: { ...process.env, HOME: profile } });
  let socket;
  try {
    const active = path.join(profile, 'MarionetteActivePort');
    const port = await until(() => fs.existsSync(active) && Number(fs.readFileSync(active, 'utf8')), 'Marionette');
    socket = net.connect(port, '127.0.0.1');
    const send = marionette(socket);
    const { capabilities } = await send('WebDriver:NewSession', { pageLoadStrategy: 'normal' });
    return new Tab({
      version: `Firefox ${capabilities.browserVersion}`,
      downloads,
      running,
      go: (url) => send('WebDriver:Navigate', { url }),
      run: async (script, args) => (await send('WebDriver:ExecuteScript', { script, args })).value,
      find: async (value) => named((await send('WebDriver:FindElement', { using: 'css selector', value })).value),
      click: (id) => send('WebDriver:ElementClick', { id }),
      type: (id, text) => send('WebDriver:ElementSendKeys', { id, text }),
      // Its own troubles have a word before the colon, a page's are quoted.
      faults: () => running.lines.filter((line) => /^console\.error: (?!\w+: *$)|^JavaScript error: (?!resource:|chrome:)/.test(line)),
      async close() {
        socket.destroy();
        await running.end();
      },
    });
  } catch (error) {
    socket?.destroy();
    await running.end();
    throw error;
  }
}

/** Sends commands over a socket and waits for their answers. */
function marionette(socket) {
  const waiting = new Map();
  let [bytes, last] = [Buffer.alloc(0), 0];
  const hear = ([, id, error, result]) => {
    const { then, fail } = waiting.get(id);
    waiting.delete(id);
    if (error) fail(new Error(`${error.error}: ${error.message}`));
    else then(result);
  };
  const fall = (error) => {
    for (const { fail } of waiting.values()) fail(error ?? new Error('Firefox closed the connection'));
    waiting.clear();
  };
  socket.on('error', fall).on('close', () => fall());
  socket.on('data', (more) => {
    bytes = Buffer.concat([bytes, more]);
    for (;;) {
      const colon = bytes.indexOf(':');
      const end = colon + 1 + Number(bytes.subarray(0, Math.max(colon, 0)).toString());
      if (colon < 0 || bytes.length < end) return;
      const message = JSON.parse(bytes.subarray(colon + 1, end).toString());
      bytes = bytes.subarray(end);
      // The first one is a greeting.
      if (Array.isArray(message)) hear(message);
    }
  });
  return (name, parameters) => new Promise((then, fail) => {
    const text = JSON.stringify([0, ++last, name, parameters]);
    waiting.set(last, { then, fail });
    socket.write(`${Buffer.byteLength(text)}:${text}`);
  });
}

/** Under automation WebKitGTK prints nothing, so the page itself takes notes. What a worker says stays unheard. */
const WATCH = `
  const faults = (window.__faults = []);
  const say = console.error;
  console.error = (...words) => (faults.push('console.error: ' + words.join(' ')), say.apply(console, words));
  addEventListener('error', (event) => faults.push('error: ' + event.message + ' ' + event.filename + ':' + event.lineno));
  addEventListener('unhandledrejection', (event) => faults.push('unhandled: ' + event.reason));
`;

/** WebKitGTK on a display of its own: it has no other way to run unseen. */
export async function webkit(file, display) {
  const home = temporaryFolder();
  const screen = new Running(display, ['-displayfd', '1', '-screen', '0', '1280x900x24', '-nolisten', 'tcp']);
  const started = [screen];
  try {
    const number = await until(() => screen.lines.find((line) => /^\d+$/.test(line)), 'the display');
    const port = await freePort();
    const env = {
      ...process.env,
      DISPLAY: `:${number}`,
      HOME: home,
      // Containers forbid what its sandbox is made of, and there is no graphics card.
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      LIBGL_ALWAYS_SOFTWARE: '1',
    };
    const running = new Running(file, [`--port=${port}`], { env });
    started.unshift(running);
    const send = async (method, address, body) => {
      const answer = await fetch(`http://127.0.0.1:${port}${address}`, { method, body: body && JSON.stringify(body) });
      const { value } = await answer.json();
      if (value?.error) throw new Error(`${value.error}: ${value.message}`);
      return value;
    };
    await until(() => send('GET', '/status').catch(() => null), 'WebKitWebDriver');
    // Not `eager`, though the page would be watched earlier: one visit in four then never ends.
    const { sessionId, capabilities } = await send('POST', '/session', { capabilities: {} });
    const at = (rest) => `/session/${sessionId}/${rest}`;
    let faults = [];
    return new Tab({
      version: `WebKitGTK ${capabilities.browserVersion}`,
      downloads: home,
      running,
      async go(url) {
        await send('POST', at('url'), { url });
        await send('POST', at('execute/sync'), { script: WATCH, args: [] });
      },
      async run(script, args) {
        const both = `return [(function () { ${script} }).apply(null, arguments), window.__faults]`;
        const [value, found] = await send('POST', at('execute/sync'), { script: both, args });
        faults = found ?? faults;
        return value;
      },
      find: async (value) => named(await send('POST', at('element'), { using: 'css selector', value })),
      click: (id) => send('POST', at(`element/${id}/click`), {}),
      type: (id, text) => send('POST', at(`element/${id}/value`), { text }),
      faults: () => faults,
      async close() {
        await send('DELETE', `/session/${sessionId}`).catch(() => {});
        for (const one of started) await one.end();
      },
    });
  } catch (error) {
    for (const one of started) await one.end();
    throw error;
  }
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((then) => server.once('listening', then));
  const { port } = server.address();
  await new Promise((then) => server.close(then));
  return port;
}

/** Elements of a tab by a selector. */
class Elements {
  constructor(tab, selector) {
    Object.assign(this, { tab, selector });
  }

  first() {
    return this;
  }

  async allTextContents() {
    return this.tab.evaluate('return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)', this.selector);
  }

  async count() {
    return (await this.allTextContents()).length;
  }

  async textContent() {
    return (await this.allTextContents())[0];
  }

  /** As soon as it can be clicked: the page scrolls smoothly and grows, and WebKit's driver waits for neither. */
  async click() {
    const { browser } = this.tab;
    const clicked = async () => {
      await this.tab.evaluate("document.querySelector(arguments[0])?.scrollIntoView({ behavior: 'instant', block: 'center' })", this.selector);
      return browser.click(await browser.find(this.selector)).then(() => true, (error) => {
        if (!/not interactable|click intercepted/.test(error.message)) throw error;
      });
    };
    await until(clicked, `a click on ${this.selector}`, 10_000);
  }

  async setInputFiles(files) {
    await this.tab.browser.type(await this.tab.browser.find(this.selector), [files].flat().join('\n'));
  }
}

/** The one tab of such a browser, in the words of `Visit`. */
class Tab {
  constructor(browser) {
    this.browser = browser;
    this.page = { locator: (selector) => new Elements(this, selector), waitForTimeout: pause };
  }

  go(url) {
    return this.browser.go(url);
  }

  at(handle) {
    return this.page.locator(`[data-testid="${handle}"]`);
  }

  evaluate(script, ...args) {
    return this.browser.run(script, args);
  }

  /** Fails with all that the console called an error so far. */
  check() {
    assert.deepEqual(this.browser.faults(), [], 'the page made a fault');
  }

  /** Clicks and waits for the file the page saves. */
  async saveFrom(handle, ending) {
    const folder = this.browser.downloads;
    const size = (name) => fs.statSync(path.join(folder, name)).size;
    let last;
    // The file is there before all of it is.
    const saved = () => {
      const name = fs.readdirSync(folder, { recursive: true }).find((name) => name.endsWith(ending));
      const before = last;
      last = name && size(name);
      return last > 0 && last === before && name;
    };
    await this.at(handle).click();
    return path.join(folder, await until(saved, `a file *${ending}`));
  }

  close() {
    return this.browser.close();
  }
}
