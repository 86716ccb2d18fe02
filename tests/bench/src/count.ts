// Counts what a library asks of WebGPU, by wrapping the functions that it calls.

export interface GpuCounts {
  /** Compute dispatches. */
  dispatches: number;
  submits: number;
  /** Shader modules compiled, and how many of them had a source that was compiled before. */
  shaders: number;
  repeatedShaders: number;
  pipelines: number;
  /** Bytes written by the CPU into buffers, through the queue or through mapped memory. */
  uploaded: number;
  /** Bytes of buffers mapped for reading, and how often that was done. */
  readBack: number;
  readbacks: number;
  buffers: number;
  bufferBytes: number;
}

const none = (): GpuCounts => ({
  dispatches: 0,
  submits: 0,
  shaders: 0,
  repeatedShaders: 0,
  pipelines: 0,
  uploaded: 0,
  readBack: 0,
  readbacks: 0,
  buffers: 0,
  bufferBytes: 0,
});

let counts = none();

/** What was counted since the last call. */
export function takeCounts(): GpuCounts {
  const taken = counts;
  counts = none();
  return taken;
}

/** Wraps WebGPU in this thread; to be called before a library is loaded. */
export function countGpu(): void {
  const sources = new Set<string>();
  const compiled = (source: string) => {
    counts.shaders++;
    if (sources.has(source)) counts.repeatedShaders++;
    sources.add(source);
  };

  before(GPUDevice.prototype, "createShaderModule", ({ code }) => {
    compiled(code);
  });
  before(GPUDevice.prototype, "createComputePipeline", () => counts.pipelines++);
  before(GPUDevice.prototype, "createComputePipelineAsync", () => counts.pipelines++);
  before(GPUDevice.prototype, "createBuffer", ({ size, mappedAtCreation }) => {
    counts.buffers++;
    counts.bufferBytes += size;
    if (mappedAtCreation) counts.uploaded += size;
  });
  before(GPUQueue.prototype, "submit", () => counts.submits++);
  before(GPUQueue.prototype, "writeBuffer", (_buffer, _offset, data, from = 0, size) => {
    const unit = ArrayBuffer.isView(data)
      ? ((data as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1)
      : 1;
    counts.uploaded += size === undefined ? data.byteLength - from * unit : size * unit;
  });
  before(GPUComputePassEncoder.prototype, "dispatchWorkgroups", () => counts.dispatches++);
  before(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", () => counts.dispatches++);
  before(GPUBuffer.prototype, "mapAsync", function (this: GPUBuffer, mode, offset = 0, size) {
    const bytes = size ?? this.size - offset;
    if (mode & GPUMapMode.READ) {
      counts.readbacks++;
      counts.readBack += bytes;
    } else {
      counts.uploaded += bytes;
    }
  });
}

/** Has `look` see the arguments of every call of a method. */
function before<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  look: T[K] extends (...args: infer A) => unknown ? (this: T, ...args: A) => unknown : never,
): void {
  const original = prototype[name] as (...args: unknown[]) => unknown;
  prototype[name] = function (this: T, ...args: unknown[]) {
    (look as (...args: unknown[]) => unknown).apply(this, args);
    return original.apply(this, args);
  } as T[K];
}
