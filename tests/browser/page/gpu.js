// Counts what is asked of the GPU on this thread.

/**
 * Counts from now on; the function that it gives tells the counts since it was called last, and its `live` the bytes of all buffers that
 * are neither destroyed nor collected.
 */
export function watchGpu() {
  let live = 0;
  const sizes = new WeakMap();
  const collected = new FinalizationRegistry(({ size }) => (live -= size));
  const none = { dispatches: 0, readbacks: 0, pipelines: 0 };
  let counts = { ...none };
  for (const create of ["createComputePipeline", "createComputePipelineAsync"])
    before(GPUDevice.prototype, create, () => counts.pipelines++);
  before(GPUComputePassEncoder.prototype, "dispatchWorkgroups", () => counts.dispatches++);
  before(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", () => counts.dispatches++);
  before(GPUBuffer.prototype, "mapAsync", (mode) => {
    if (mode & GPUMapMode.READ) counts.readbacks++;
  });
  const { createBuffer } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (description) {
    const buffer = createBuffer.call(this, description);
    const held = { size: description.size };
    live += held.size;
    sizes.set(buffer, held);
    collected.register(buffer, held);
    return buffer;
  };
  before(GPUBuffer.prototype, "destroy", function () {
    const held = sizes.get(this);
    if (!held) return;
    live -= held.size;
    held.size = 0;
  });
  const take = () => {
    const taken = counts;
    counts = { ...none };
    return taken;
  };
  take.live = () => live;
  return take;
}

function before(prototype, name, look) {
  const method = prototype[name];
  prototype[name] = function (...args) {
    look.apply(this, args);
    return method.apply(this, args);
  };
}
