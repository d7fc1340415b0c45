// V8's sampling profiler in the engine's worker.

/** Microseconds between two samples. */
const INTERVAL = 500;

/**
 * Profiles the worker of `page` while `body()` runs; what V8 answers. Playwright speaks to a worker only through its own
 * session, so a second one is opened by hand, and its messages are wrapped in those of the page's.
 */
export async function profiled(page, body) {
  const session = await page.context().newCDPSession(page);
  const worker = await attached(session);
  await worker('Profiler.enable');
  await worker('Profiler.setSamplingInterval', { interval: INTERVAL });
  await worker('Profiler.start');
  await body();
  const { profile } = await worker('Profiler.stop');
  await session.detach();
  return profile;
}

async function attached(session) {
  const found = new Promise((done) => session.on('Target.attachedToTarget', done));
  await session.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const { sessionId } = await found;
  const waiting = new Map();
  let last = 0;
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result, error } = JSON.parse(message);
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.fail(new Error(error.message));
    else call?.done(result);
  });
  return (method, params = {}) =>
    new Promise((done, fail) => {
      const id = (last += 1);
      waiting.set(id, { done, fail });
      session.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method, params }) }).catch(fail);
    });
}

/**
 * `{ name, share }` of every function by the time spent in itself, largest first, and `ms`, the time that the profile
 * covers without the worker's idle one.
 */
export function selfTimes({ nodes, samples, timeDeltas }) {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map();
  samples.forEach((id, at) => {
    const name = names.get(id);
    times.set(name, (times.get(name) ?? 0) + timeDeltas[at]);
  });
  ['(root)', '(idle)', '(program)'].forEach((name) => times.delete(name));
  const sum = [...times.values()].reduce((total, time) => total + time, 0);
  const functions = [...times].map(([name, time]) => ({ name, share: time / sum }));
  return { ms: sum / 1000, functions: functions.sort((a, b) => b.share - a.share) };
}

/** Functions of the matrix kernel, a module without names (crates/lanes/src/module.rs), in its order. */
const KERNEL = ['put', 'add'];

/** A function's name without its hash; those without a name by their place. */
function nameOf({ functionName, url, lineNumber }) {
  const name = functionName.replace(/::h[0-9a-f]{16}$|\[[0-9a-f]{16}\]/g, '');
  const [, unnamed] = name.match(/^wasm-function\[(\d+)\]$/) ?? [];
  if (unnamed) return `the matrix kernel's ${KERNEL[unnamed] ?? name}`;
  return name || `${url.split('/').pop()}:${lineNumber + 1}`;
}
