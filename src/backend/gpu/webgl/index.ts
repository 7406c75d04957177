import { type DType, dtypeOf, type TypedData } from '../../../core/dtype.js';
import type { Backend, Buf, Kernels } from '../../backend.js';
import { attention, attentionGrad } from '../kernels/attention.js';
import { matmul } from '../kernels/matmul.js';
import { firstBound } from '../parts.js';
import { plainKernels } from '../plain.js';
import { plainRoofs } from '../roof.js';
import { wideSums } from './attention.js';
import { type Context, finished, openContext } from './context.js';
import { wideProduct } from './matmul.js';
import { GlMemory } from './memory.js';
import { Programs } from './program.js';
import { GlRunner } from './runner.js';
import { Textures } from './textures.js';

export interface WebGlOptions {
  /** Rows of a product that a fragment computes, for comparison; absent: by what the adapter is. */
  readonly rows?: 4 | 8;
  /** Multiplications and additions of one draw at most, for tests; absent: by what the adapter is. */
  readonly mostWork?: number;
}

/** Eight rows halve what is read, but their results are more than the tiles of a small GPU hold. */
const rowsFor = ({ software, results }: Context): 4 | 8 => (software && results >= 8 ? 8 : 4);

/** WebGL 2 through gpu.js, for browsers without WebGPU: the plain kernels, drawn to textures of four floats a texel. */
export class WebGlBackend implements Backend {
  readonly name = 'gpu';
  readonly float = 'f32';
  readonly runsOn: string;
  readonly kernels: Kernels;
  private readonly memory: GlMemory;
  private readonly runner: GlRunner;
  readonly deviceRoofs: NonNullable<Backend['deviceRoofs']>;

  constructor(
    private readonly context: Context,
    programs: Programs,
    options: WebGlOptions,
  ) {
    this.memory = new GlMemory(new Textures(context));
    this.runner = new GlRunner(context, this.memory, programs, options.mostWork ?? firstBound(context.software));
    this.deviceRoofs = plainRoofs(this.runner, () => this.flush(), context.software);
    this.runsOn = `${context.adapter}, webgl2, ${context.software ? 'software' : 'hardware'}`;
    const product = wideProduct(this.runner, this.memory, options.rows ?? rowsFor(context));
    const sums = wideSums(this.runner, this.memory);
    this.kernels = {
      ...plainKernels(this.runner),
      matmul: (call) => matmul(this.runner, call, product),
      attention: (call, y, lse) => attention(this.runner, call, y, lse, sums),
      attentionGrad: (call, y, lse, dY, dQ, dK, dV) =>
        attentionGrad(this.runner, call, [y, lse, dY], [dQ, dK, dV], sums),
    };
  }

  get liveBytes(): number {
    return this.memory.liveBytes;
  }

  get peakBytes(): number {
    return this.memory.peakBytes;
  }

  alloc(length: number, dtype: DType): Buf {
    return this.memory.alloc(length, dtype);
  }

  upload(data: TypedData): Buf {
    const buf = this.memory.alloc(data.length, dtypeOf(data));
    this.write(buf, data);
    return buf;
  }

  write(buf: Buf, data: TypedData): void {
    this.runner.write(this.memory.accepts(buf, data), data as Float32Array | Int32Array);
  }

  async read(buf: Buf): Promise<TypedData> {
    this.runner.ids.hear();
    return this.runner.read(this.memory.own(buf));
  }

  view(buf: Buf, offset: number, length: number): Buf {
    return this.memory.view(buf, offset, length);
  }

  free(buf: Buf): void {
    this.memory.free(buf);
  }

  async flush(): Promise<void> {
    await finished(this.context.gl);
    this.context.check();
    this.runner.ids.hear();
  }
}

/** @throws {BackendError} where there is no WebGL 2 that draws to textures of floats */
export async function createWebGlBackend(options: WebGlOptions = {}): Promise<WebGlBackend> {
  const { default: gpujs } = await import('gpu.js');
  const context = openContext();
  const gpu = new gpujs.GPU({ mode: 'webgl2', canvas: context.canvas, context: context.gl });
  return new WebGlBackend(context, new Programs(gpu, gpujs.WebGL2Kernel, context), options);
}
