import type { GPU as GpuJs, WebGPUContext } from 'gpu.js';
import { BackendError } from '../../core/errors.js';

/** A device, its limits, and what has gone wrong on it. */
export interface Device {
  readonly gpu: GPUDevice;
  /** "NVIDIA H100 80GB HBM3 (nvidia, hopper)". */
  readonly adapter: string;
  /** Whether a processor plays the GPU. */
  readonly software: boolean;
  readonly limits: Limits;
  readonly features: ReadonlySet<string>;
  /** Keeps an error for the next `check`. */
  report(error: GPUError): void;
  /** @throws {BackendError} what the device has reported since the last call: lost, out of memory, a refused command */
  check(): void;
}

/** Limits that kernels reckon with; bytes unless they are counts. */
export interface Limits {
  /** The largest part of a buffer that a kernel can be given. */
  readonly binding: number;
  readonly buffer: number;
  /** Buffers a kernel can be given. */
  readonly bindings: number;
  readonly workgroupMemory: number;
  readonly workgroupThreads: number;
  /** Where such a part may begin. */
  readonly alignment: number;
  /** Threads of a subgroup; 0 where there are none, or where it may vary. */
  readonly subgroup: number;
}

const WANTED_LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const;
const WANTED_FEATURES = ['timestamp-query', 'subgroups'] as const;
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render|\bcpu\b|software/i;

/** gpu.js asks for two limits and no features: its request is answered with all that kernels here make use of. */
function generous(adapter: GPUAdapter): GPUAdapter {
  const requiredFeatures = WANTED_FEATURES.filter((name) => adapter.features.has(name));
  const requiredLimits = Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]]));
  const requestDevice = (): Promise<GPUDevice> => adapter.requestDevice({ requiredFeatures, requiredLimits });
  return new Proxy(adapter, {
    get(target, name) {
      if (name === 'requestDevice') return requestDevice;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Runs `body` while `navigator.gpu` is `gpu`: the one place where gpu.js looks for it. */
async function withNavigator<T>(gpu: Pick<GPU, 'requestAdapter'>, body: () => Promise<T>): Promise<T> {
  const made = globalThis.navigator === undefined;
  if (made) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
  try {
    return await body();
  } finally {
    if (made) Reflect.deleteProperty(globalThis, 'navigator');
    else Reflect.deleteProperty(globalThis.navigator, 'gpu');
  }
}

const noAdapter = (): BackendError =>
  new BackendError('gpu: no adapter: no driver of a GPU was found', {
    code: 'BACKEND-GPU',
    where: 'WebGPU',
    fix: 'install a Vulkan driver (libvulkan1 and that of the GPU), or use the native backend',
  });

function describe(info: GPUAdapterInfo): string {
  const made = [info.vendor, info.architecture].filter(Boolean).join(', ');
  const name = info.description || info.device || 'unnamed adapter';
  return made === '' ? name : `${name} (${made})`;
}

/** The first thing that went wrong and was not reported yet. */
class Troubles {
  private lost: string | null = null;
  private first: BackendError | null = null;

  constructor(private readonly adapter: string) {}

  lose(info: GPUDeviceLostInfo): void {
    this.lost = info.message || info.reason || 'no reason given';
  }

  add(error: GPUError): void {
    const outOfMemory = error.constructor.name === 'GPUOutOfMemoryError';
    const message = error.message.split('\n')[0];
    // Commands on a buffer that could not be made are refused, too; why there is none, matters.
    if (this.first !== null && !(outOfMemory && this.first.code !== 'BACKEND-MEMORY')) return;
    this.first = outOfMemory
      ? new BackendError(`out of memory: ${message}`, {
          code: 'BACKEND-MEMORY',
          where: `gpu backend, ${this.adapter}`,
          fix: 'use a smaller batch, a shorter sequence or a smaller model',
        })
      : new BackendError(`gpu: the device refused a command: ${message}`, {
          code: 'BACKEND-COMMAND',
          where: this.adapter,
        });
  }

  check(): void {
    if (this.lost !== null) {
      throw new BackendError(`gpu: the device was lost: ${this.lost}`, {
        code: 'BACKEND-GPU-LOST',
        where: this.adapter,
        fix: 'all tensors on it are gone: start again, with a smaller batch if one kernel ran for seconds',
      });
    }
    const error = this.first;
    this.first = null;
    if (error !== null) throw error;
  }
}

function subgroupOf({ features }: GPUDevice, { subgroupMinSize, subgroupMaxSize }: GPUAdapterInfo): number {
  return features.has('subgroups') && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0;
}

const limitsOf = (limits: GPUSupportedLimits, subgroup: number): Limits => ({
  subgroup,
  binding: limits.maxStorageBufferBindingSize,
  buffer: limits.maxBufferSize,
  bindings: limits.maxStorageBuffersPerShaderStage,
  workgroupMemory: limits.maxComputeWorkgroupStorageSize,
  workgroupThreads: limits.maxComputeInvocationsPerWorkgroup,
  alignment: limits.minStorageBufferOffsetAlignment,
});

const known = new WeakMap<GPUDevice, Device>();

/** gpu.js in the mode webgpu, and the device that all its kernels share. */
export interface Opened {
  readonly device: Device;
  readonly gpu: GpuJs;
}

/** The parts of gpu.js that are needed for that. */
interface Library {
  readonly GPU: typeof GpuJs;
  readonly WebGPUContext: typeof WebGPUContext;
}

/**
 * Opens the adapter that WebGPU offers first, with all its limits.
 * @throws {BackendError} when there is none
 */
export async function openDevice(webgpu: GPU, library: Library): Promise<Opened> {
  const requestAdapter: GPU['requestAdapter'] = async () => {
    const adapter = await webgpu.requestAdapter({ powerPreference: 'high-performance' });
    if (adapter === null) throw noAdapter();
    return generous(adapter);
  };
  return withNavigator({ requestAdapter }, async () => {
    const { adapter, device } = await library.WebGPUContext.acquire();
    const gpu = new library.GPU({ mode: 'webgpu' });
    const opened = known.get(device) ?? watch(device, adapter.info);
    known.set(device, opened);
    return { device: opened, gpu };
  });
}

function watch(device: GPUDevice, info: GPUAdapterInfo): Device {
  const name = describe(info);
  const troubles = new Troubles(name);
  device.lost.then((lost) => troubles.lose(lost));
  // gpu.js would print it and go on.
  device.onuncapturederror = ({ error }) => troubles.add(error);
  return {
    gpu: device,
    adapter: name,
    software: info.isFallbackAdapter || SOFTWARE.test(name),
    limits: limitsOf(device.limits, subgroupOf(device, info)),
    features: new Set(device.features),
    report: (error) => troubles.add(error),
    check: () => troubles.check(),
  };
}
