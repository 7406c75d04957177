import type { ArgumentType, GPU, WebGL2Kernel } from 'gpu.js';
import { BackendError } from '../../../core/errors.js';
import { isArray, type ParamKind, type PlainKernel } from '../spec.js';
import type { Context } from './context.js';

/** A plain kernel that computes four neighbours of a row at a time. */
export interface WideKernel extends PlainKernel {
  /** Names of the parameters that are sheets: `x[row][col]` is a vector of four neighbours. */
  readonly sheets: readonly string[];
  /** Of those that lie as they do in a buffer: `x[layer][row][col]` is the same, with columns counted in vectors. */
  readonly texels?: readonly string[];
  /** Results besides its own, drawn to textures of their own: functions of the text, which give back what they store. */
  readonly beside?: readonly string[];
}

export const isWide = (kernel: PlainKernel): kernel is WideKernel => 'sheets' in kernel;

/** What a parameter of the kernel is in the shader. */
interface Param {
  readonly kind: 'array' | 'sheet' | 'texels' | 'int' | 'float';
  readonly value: WebGLUniformLocation | null;
  /** Of a sheet: width and height. Else: log2 of the texture's width, and the first element. */
  readonly size: WebGLUniformLocation | null;
  readonly dims: WebGLUniformLocation | null;
}

const ARGUMENT_TYPES = {
  array: 'MemoryOptimizedNumberTexture',
  sheet: 'ArrayTexture(4)',
  texels: 'Array3D(4)',
  int: 'Integer',
  float: 'Float',
} as const;

function kindOf(kernel: PlainKernel, name: string, kind: ParamKind): Param['kind'] {
  if (kind === 'int' || kind === 'float') return kind;
  if (!isWide(kernel)) return 'array';
  if (kernel.sheets.includes(name)) return 'sheet';
  return kernel.texels?.includes(name) ? 'texels' : 'array';
}

/** A kernel, compiled and linked. */
export interface Program {
  readonly name: string;
  readonly program: WebGLProgram;
  /** Four corners, as this program takes them. */
  readonly corners: WebGLVertexArrayObject;
  readonly params: readonly Param[];
  readonly outputDims: WebGLUniformLocation | null;
  readonly outputSize: WebGLUniformLocation | null;
}

/** @throws {BackendError} when `pattern` is not in the shader */
function change(glsl: string, pattern: RegExp, by: string): string {
  const changed = glsl.replace(pattern, () => by);
  if (changed !== glsl) return changed;
  throw new BackendError(`gpu: gpu.js assembles its shaders in another way than version 2.24.1: no ${pattern}`, {
    code: 'BACKEND-GPU',
    fix: 'install the version of gpu.js that package.json names',
  });
}

const whole = (name: string): RegExp => new RegExp(`\\n\\w+ ${name}\\([^{]*\\{[\\s\\S]*?\\n\\}`);
const ARGUMENTS = '(sampler2D tex, ivec2 texSize, ivec3 texDim, int z, int y, int x)';
/** Of an array: integers find the texel, where gpu.js divides floats. */
const READ_ONE = `
float getMemoryOptimized32${ARGUMENTS} {
  int index = texSize.y + x + texDim.x * (y + texDim.y * z);
  int at = index >> 2;
  return texelFetch(tex, ivec2(at & ((1 << texSize.x) - 1), at >> texSize.x), 0)[index & 3];
}`;
/** Of a sheet: row and column are the place. `texture` is a third faster than `texelFetch` on SwiftShader. */
const READ_FOUR = `
vec4 getImage2D${ARGUMENTS} {
  return texture(tex, (vec2(x, y) + 0.5) / vec2(texSize));
}`;
/** The same of a buffer. */
const READ_TEXEL = `
vec4 getMemoryOptimizedVec4${ARGUMENTS} {
  int at = (texSize.y >> 2) + x + texDim.x * (y + texDim.y * z);
  return texelFetch(tex, ivec2(at & ((1 << texSize.x) - 1), at >> texSize.x), 0);
}`;

function adapted(glsl: string): string {
  let text = change(glsl, whole('getMemoryOptimized32'), READ_ONE);
  text = change(text, whole('getImage2D'), READ_FOUR);
  text = change(text, whole('getMemoryOptimizedVec4'), READ_TEXEL);
  const place = '\n  index = int(gl_FragCoord.x) + int(gl_FragCoord.y) * uTexSize.x;\n';
  return change(text, /\n {2}index = int\(vTexCoord[^\n]*\n/, place);
}

/**
 * The one subclass of gpu.js's WebGL 2 kernel. gpu.js reads the text, translates it, assembles, compiles and links the
 * shader; overridden is how a texture is addressed, and that a kernel has a texture of its own to draw to.
 */
function kernelClass(base: typeof WebGL2Kernel) {
  return class BertgradGlKernel extends base {
    override getFragmentShader(args: unknown): string {
      this.compiledFragmentShader ??= adapted(super.getFragmentShader(args));
      return this.compiledFragmentShader;
    }

    override _setupOutputTexture(): void {}
    override _setupSubOutputTextures(): void {}
  };
}

/** Kernels by name; each is compiled when it is first asked for. */
export class Programs {
  private readonly cache = new Map<string, Program>();
  private readonly Kernel: ReturnType<typeof kernelClass>;

  constructor(
    private readonly gpu: GPU,
    base: typeof WebGL2Kernel,
    private readonly context: Context,
  ) {
    this.Kernel = kernelClass(base);
  }

  get(kernel: PlainKernel): Program {
    let program = this.cache.get(kernel.name);
    if (program === undefined) {
      program = this.compile(kernel);
      this.cache.set(kernel.name, program);
    }
    return program;
  }

  private compile(kernel: PlainKernel): Program {
    const { gl } = this.context;
    const params = Object.entries(kernel.params);
    const types = params.map(([name, kind]) => ARGUMENT_TYPES[kindOf(kernel, name, kind)]);
    const beside = isWide(kernel) ? (kernel.beside ?? []) : [];
    this.gpu.Kernel = this.Kernel;
    const settings = {
      output: new Array<number>(kernel.rank).fill(1),
      argumentTypes: Object.fromEntries(params.map(([name], i) => [name, types[i]])),
      loopMaxIterations: 2 ** 31 - 1,
      precision: 'single',
      tactic: 'precision',
      optimizeFloatMemory: !isWide(kernel),
      dynamicOutput: true,
      dynamicArguments: true,
      pipeline: true,
      immutable: true,
    } as const;
    const run =
      beside.length === 0
        ? this.gpu.createKernel(kernel.text, settings)
        : this.gpu.createKernelMap(beside, kernel.text, settings);
    const built: unknown = run.kernel;
    if (!(built instanceof this.Kernel)) throw new Error('gpu.js made a kernel of another class');
    const texture = gl.createTexture();
    try {
      built.build(...params.map(([, kind], i) => (isArray(kind) ? stand(types[i], texture, gl) : 1)));
    } catch (cause) {
      throw this.failure(kernel.name, cause);
    } finally {
      gl.deleteTexture(texture);
    }
    return describe(kernel, built.program, gl);
  }

  private failure(name: string, cause: unknown): BackendError {
    const message = cause instanceof Error ? cause.message : String(cause);
    return new BackendError(`gpu: kernel ${name} does not compile: ${message}`, {
      code: 'BACKEND-GPU',
      where: this.context.adapter,
      fix: 'report this, with the name of the browser',
      cause,
    });
  }
}

/** What gpu.js looks at of a texture while it builds a kernel: of one that holds vectors, their numbers. */
const stand = (type: ArgumentType, texture: WebGLTexture, context: WebGL2RenderingContext): object =>
  type === ARGUMENT_TYPES.texels
    ? [[[[0, 0, 0, 0]]]]
    : { type, texture, context, size: [1, 1], dimensions: [1, 1, 1], output: [1] };

function describe(kernel: PlainKernel, program: WebGLProgram, gl: WebGL2RenderingContext): Program {
  const at = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(program, name);
  const params = Object.entries(kernel.params).map(([name, type]) => {
    const kind = kindOf(kernel, name, type);
    return { kind, value: at(`user_${name}`), size: at(`user_${name}Size`), dims: at(`user_${name}Dim`) };
  });
  gl.disable(gl.SCISSOR_TEST); // gpu.js leaves it on
  gl.useProgram(program);
  gl.uniform2f(at('ratio'), 1, 1);
  const corners = cornersFor(gl, gl.getAttribLocation(program, 'aPos'));
  return { name: kernel.name, program, corners, params, outputDims: at('uOutputDim'), outputSize: at('uTexSize') };
}

function cornersFor(gl: WebGL2RenderingContext, place: number): WebGLVertexArrayObject {
  const corners = gl.createVertexArray();
  gl.bindVertexArray(corners);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, Float32Array.of(-1, -1, 1, -1, -1, 1, 1, 1), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(place);
  gl.vertexAttribPointer(place, 2, gl.FLOAT, false, 0, 0);
  gl.bindVertexArray(null);
  return corners;
}
