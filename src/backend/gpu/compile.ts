import type { ArgumentType, GPU, ParamsLayout, WebGPUKernel } from 'gpu.js';
import { BackendError } from '../../core/errors.js';
import type { Device } from './device.js';
import { fastShader, plainShader } from './shader.js';
import { type FastKernel, isArray, Memo, type PlainKernel } from './spec.js';

/** Shader stage COMPUTE of the WebGPU specification. */
const COMPUTE = 4;

/** An array that a kernel is given. */
export interface ArrayPlace {
  /** Whether it has a binding of its own: one that is updated in place is the result. */
  readonly bound: boolean;
  /** Elements that an element of the shader's array holds. */
  readonly width: 1 | 4;
  readonly writable: boolean;
}

/** A kernel, compiled or about to be. */
export interface Compiled {
  readonly name: string;
  /** The whole shader. */
  readonly wgsl: string;
  readonly layout: GPUBindGroupLayout;
  /** Null until `ready`. */
  readonly pipeline: GPUComputePipeline | null;
  readonly ready: Promise<void>;
  /** Inputs, then results but the first; array i has binding 1 + i, and its dims are word 4 + 4 i of the parameters. */
  readonly arrays: readonly ArrayPlace[];
  readonly resultWidth: 1 | 4;
  /** Words of the numbers, in the order of the parameters. */
  readonly scalars: readonly { readonly word: number; readonly float: boolean }[];
  /** Where the result begins; behind it, the first workgroup along each axis. */
  readonly resultWord: number;
  /** Bytes of the parameters. */
  readonly paramBytes: number;
  readonly workgroup: readonly number[];
  readonly rank: number;
  readonly bindGroups: Memo<GPUBindGroup>;
}

/** Parameters of the function that gpu.js sees: for a fast kernel, all arrays that it binds besides the result. */
function signature(kernel: PlainKernel | FastKernel): readonly (readonly [name: string, kind: string])[] {
  const params = Object.entries(kernel.params);
  return 'wgsl' in kernel ? [...params, ...Object.entries(kernel.outputs).slice(1)] : params;
}

function typeOf(kind: string): ArgumentType {
  if (isArray(kind)) return 'Array';
  return kind === 'int' ? 'Integer' : 'Float';
}

/** Parameters first, as a slice of a larger buffer; then gpu.js's order: the arrays, and the result last. */
function layoutEntries(spec: PlainKernel | FastKernel, layout: ParamsLayout): GPUBindGroupLayoutEntry[] {
  const fast = 'wgsl' in spec;
  const uniform = { type: 'uniform', hasDynamicOffset: true, minBindingSize: layout.byteLength } as const;
  const entries: GPUBindGroupLayoutEntry[] = [{ binding: 0, visibility: COMPUTE, buffer: uniform }];
  for (const [i, { name }] of layout.arrayArgs.entries()) {
    if (!fast && name === spec.inPlace) continue;
    const type = fast && Object.hasOwn(spec.outputs, name) ? 'storage' : 'read-only-storage';
    entries.push({ binding: 1 + i, visibility: COMPUTE, buffer: { type } });
  }
  entries.push({ binding: 1 + layout.arrayArgs.length, visibility: COMPUTE, buffer: { type: 'storage' } });
  return entries;
}

/** @throws with the line of the shader that is wrong */
async function pipelineOf(
  gpu: GPUDevice,
  label: string,
  layout: GPUBindGroupLayout,
  code: string,
): Promise<GPUComputePipeline> {
  const module = gpu.createShaderModule({ label, code });
  try {
    return await gpu.createComputePipelineAsync({
      label,
      layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main' },
    });
  } catch (cause) {
    const { messages } = await module.getCompilationInfo();
    const first = messages.find(({ type }) => type === 'error');
    throw first === undefined ? cause : new Error(`line ${first.lineNum}: ${first.message}`, { cause });
  }
}

/**
 * The one subclass of gpu.js's own kernel. gpu.js still reads the text, types its arguments, translates it, lays out the
 * parameters and assembles the shader; overridden is where that shader meets this backend:
 * `translateSource` (a fast kernel brings its own text), `computeParamsLayout` (four more numbers: where the result
 * begins, and the launch within a larger one), `assembleWGSL` (windows, ids, vectors) and `_buildAsync` (a pipeline whose buffers come from our pool and whose
 * parameters are a slice of one buffer for a whole batch).
 */
export function kernelClass(base: typeof WebGPUKernel, device: Device) {
  return class BertgradKernel extends base {
    spec: PlainKernel | FastKernel | null = null;
    shaderLayout: GPUBindGroupLayout | null = null;
    shaderPipeline: GPUComputePipeline | null = null;

    override translateSource(): void {
      if (this.spec !== null && 'wgsl' in this.spec) {
        [this.translatedBody, this.translatedFunctions] = ['', ''];
        [this.returnType, this.componentCount] = ['Number', 1];
      } else super.translateSource();
    }

    override computeParamsLayout(): ParamsLayout {
      const layout = super.computeParamsLayout();
      const end = 16 + 16 * layout.arrayArgs.length + 4 * layout.scalarArgs.length;
      return { ...layout, byteLength: Math.ceil((end + 16) / 16) * 16 };
    }

    override assembleWGSL(): string {
      const assembled = super.assembleWGSL();
      const { spec } = this;
      if (spec === null) throw new Error('a kernel is built through compile() alone');
      return 'wgsl' in spec ? fastShader(assembled, spec) : plainShader(assembled, spec);
    }

    override async _buildAsync(): Promise<void> {
      const { gpu } = device;
      const { spec } = this;
      if (spec === null) throw new Error('a kernel is built through compile() alone');
      const layout = gpu.createBindGroupLayout({ entries: layoutEntries(spec, this.paramsLayout) });
      this.shaderLayout = layout;
      this.shaderPipeline = await pipelineOf(gpu, spec.name, layout, this.compiledSource);
      this.built = true;
    }
  };
}

/** Kernels by name; each is compiled when it is first asked for. */
export class Compiler {
  private readonly cache = new Map<string, Compiled>();
  private readonly Kernel: ReturnType<typeof kernelClass>;

  constructor(
    private readonly gpu: GPU,
    base: typeof WebGPUKernel,
    private readonly device: Device,
  ) {
    this.Kernel = kernelClass(base, device);
  }

  get(kernel: PlainKernel | FastKernel): Compiled {
    const found = this.cache.get(kernel.name);
    if (found !== undefined) return found;
    const compiled = this.compile(kernel);
    this.cache.set(kernel.name, compiled);
    return compiled;
  }

  /** Forgets all that refers to buffers. */
  forgetBuffers(): void {
    for (const kernel of this.cache.values()) kernel.bindGroups.clear();
  }

  private compile(kernel: PlainKernel | FastKernel): Compiled {
    const params = signature(kernel);
    const names = params.map(([name]) => name);
    // Output sizes are parameters; only the number of axes is part of the shader.
    const rank = 'wgsl' in kernel ? 1 : kernel.rank;
    this.gpu.Kernel = this.Kernel;
    const run = this.gpu.createKernel('text' in kernel ? kernel.text : `function (${names.join(', ')}) { return 0; }`, {
      output: new Array<number>(rank).fill(1),
      argumentTypes: Object.fromEntries(params.map(([name, kind]) => [name, typeOf(kind)])),
      loopMaxIterations: 2 ** 31 - 1,
      pipeline: true,
      immutable: true,
    });
    const built = run.kernel;
    if (!(built instanceof this.Kernel)) throw new Error('gpu.js made a kernel of another class');
    built.spec = kernel;
    const done = built.build(...names.map(() => 0)).catch((cause: unknown) => {
      throw this.failure(kernel.name, cause);
    });
    done.catch(() => undefined); // reported where it is awaited, by the queue
    return describe(kernel, built, done);
  }

  private failure(name: string, cause: unknown): BackendError {
    return new BackendError(`gpu: kernel ${name} does not compile: ${cause instanceof Error ? cause.message : cause}`, {
      code: 'BACKEND-GPU',
      where: this.device.adapter,
      fix: 'report this, with what `npx bertgrad doctor` prints',
      cause,
    });
  }
}

function describe(
  kernel: PlainKernel | FastKernel,
  built: InstanceType<ReturnType<typeof kernelClass>>,
  ready: Promise<void>,
): Compiled {
  const fast = 'wgsl' in kernel;
  const { arrayArgs, scalarArgs, byteLength } = built.paramsLayout;
  const kinds = new Map(signature(kernel));
  const width = (kind: string | undefined): 1 | 4 => (kind === 'vec4' ? 4 : 1);
  const outputs = fast ? Object.keys(kernel.outputs) : [];
  const arrays = arrayArgs.map(({ name }) => ({
    bound: fast || name !== kernel.inPlace,
    width: width(kinds.get(name)),
    writable: outputs.includes(name),
  }));
  return {
    name: kernel.name,
    wgsl: built.compiledSource,
    get layout() {
      return built.shaderLayout as GPUBindGroupLayout;
    },
    get pipeline() {
      return built.shaderPipeline;
    },
    ready,
    arrays,
    resultWidth: width(fast ? kernel.outputs[outputs[0]] : undefined),
    scalars: scalarArgs.map(({ offset, type }) => ({ word: offset / 4, float: type === 'Float' })),
    resultWord: 4 + 4 * arrayArgs.length + scalarArgs.length,
    paramBytes: byteLength,
    workgroup: built.workgroupSize,
    rank: fast ? 0 : kernel.rank,
    bindGroups: new Memo(),
  };
}
