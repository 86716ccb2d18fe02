// Counts what is asked of the GPU on this thread.

/** Counts from now on; the function that it gives tells the counts since it was called last. */
export function watchGpu() {
  const none = { dispatches: 0, readbacks: 0, pipelines: 0 };
  let counts = { ...none };
  for (const create of ["createComputePipeline", "createComputePipelineAsync"])
    before(GPUDevice.prototype, create, () => counts.pipelines++);
  before(GPUComputePassEncoder.prototype, "dispatchWorkgroups", () => counts.dispatches++);
  before(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", () => counts.dispatches++);
  before(GPUBuffer.prototype, "mapAsync", (mode) => {
    if (mode & GPUMapMode.READ) counts.readbacks++;
  });
  return () => {
    const taken = counts;
    counts = { ...none };
    return taken;
  };
}

function before(prototype, name, look) {
  const method = prototype[name];
  prototype[name] = function (...args) {
    look(...args);
    return method.apply(this, args);
  };
}
