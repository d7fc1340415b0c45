// What one training step asks of WebGPU. A count needs no GPU: software WebGPU is asked the same.

/** Further steps that are counted. */
const STEPS = 3;

/** Runs in the engine's worker: wraps the calls that cost time on every GPU. */
function watch() {
  const counts = (globalThis.__counts = { kernels: {} });
  const names = new WeakMap();
  const pipelines = new WeakMap();
  const wrap = (type, name, seen = () => {}) => {
    const original = type.prototype[name];
    type.prototype[name] = function (...args) {
      counts[name] = (counts[name] ?? 0) + 1;
      const result = original.apply(this, args);
      seen.call(this, args, result);
      return result;
    };
  };
  // The engine labels a pipeline by its kernel's name and what it was made for.
  wrap(GPUDevice, 'createComputePipeline', ([{ label }], made) => names.set(made, label || 'no name'));
  wrap(GPUComputePassEncoder, 'setPipeline', function ([pipeline]) {
    pipelines.set(this, names.get(pipeline) ?? 'made before');
  });
  for (const name of ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect']) {
    wrap(GPUComputePassEncoder, name, function () {
      counts.dispatches = (counts.dispatches ?? 0) + 1;
      const kernel = pipelines.get(this);
      counts.kernels[kernel] = (counts.kernels[kernel] ?? 0) + 1;
    });
  }
  wrap(GPUQueue, 'submit');
  wrap(GPUQueue, 'writeBuffer');
  wrap(GPUDevice, 'createShaderModule');
  wrap(GPUDevice, 'createBuffer');
  wrap(GPUDevice, 'createBindGroup');
  wrap(GPUBuffer, 'mapAsync');
}

/**
 * Counts a step of a workload on a page that was opened with `?bench&engine=webgpu`: `dispatches`, other calls by name,
 * and `kernels`, the dispatches of each.
 */
export async function countStep(page, work) {
  await page.waitForFunction(() => window.ready, null, { timeout: 120_000 });
  const [engine] = page.workers();
  if (!(await engine.evaluate(() => Boolean(globalThis.__counts)))) await engine.evaluate(watch);
  const run = async (reps) => {
    await engine.evaluate(() => {
      const counts = globalThis.__counts;
      Object.keys(counts).forEach((key) => key === 'kernels' || delete counts[key]);
      Object.keys(counts.kernels).forEach((key) => delete counts.kernels[key]);
    });
    const request = { work, t: { warm: 0, reps, budget: 600_000 } };
    await page.evaluate((request) => window.bench(request), request);
    return engine.evaluate(() => globalThis.__counts);
  };
  // What is made once, kernels and buffers, is made before anything is counted. Then both runs make a model and take a
  // first step, and the second takes some more.
  await run(1);
  const [one, more] = [await run(1), await run(1 + STEPS)];
  const share = (few, many) => {
    const keys = Object.keys(many).filter((key) => key !== 'kernels');
    const shares = keys.map((key) => [key, (many[key] - (few[key] ?? 0)) / STEPS]);
    return Object.fromEntries(shares.filter(([, count]) => count !== 0).sort(([, a], [, b]) => b - a));
  };
  return { ...share(one, more), kernels: share(one.kernels, more.kernels) };
}
