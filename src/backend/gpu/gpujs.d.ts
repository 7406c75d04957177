/**
 * What this backend uses of gpu.js 2.24.1; its own index.d.ts leaves these out. Members of `WebGPUKernel` are not
 * documented API: the version is pinned, and test/backend/gpu-overrides.test.ts holds each one that is overridden.
 */
declare module 'gpu.js' {
  export type ArgumentType =
    | 'Array'
    | 'Integer'
    | 'Float'
    | 'MemoryOptimizedNumberTexture'
    | 'ArrayTexture(4)'
    | 'Array3D(4)';

  export interface KernelSettings {
    readonly output: readonly number[];
    readonly argumentTypes: Readonly<Record<string, ArgumentType>>;
    readonly loopMaxIterations: number;
    readonly pipeline?: boolean;
    readonly immutable?: boolean;
    readonly precision?: 'single';
    readonly tactic?: 'precision';
    readonly optimizeFloatMemory?: boolean;
    readonly dynamicOutput?: boolean;
    readonly dynamicArguments?: boolean;
    readonly returnType?: string;
  }

  export interface KernelRun {
    readonly kernel: WebGPUKernel | WebGL2Kernel;
  }

  export class GPU {
    /** Class of the kernels that `createKernel` makes. */
    Kernel: unknown;
    constructor(
      settings: { mode: 'webgpu' } | { mode: 'webgl2'; canvas: OffscreenCanvas; context: WebGL2RenderingContext },
    );
    createKernel(source: string, settings: KernelSettings): KernelRun;
    /** A kernel with further results, one of each function. */
    createKernelMap(beside: readonly string[], source: string, settings: KernelSettings): KernelRun;
    destroy(): Promise<void>;
    static readonly isWebGL2Supported: boolean;
  }

  /** The one device that all of gpu.js shares. */
  export const WebGPUContext: {
    acquire(): Promise<{ readonly adapter: GPUAdapter; readonly device: GPUDevice; readonly isLost: boolean }>;
    destroy(): Promise<void>;
  };

  /** Where the parameters lie in the uniform that a kernel is given. Offsets in bytes. */
  export interface ParamsLayout {
    readonly arrayArgs: readonly { readonly name: string; readonly dimsOffset: number }[];
    readonly scalarArgs: readonly { readonly name: string; readonly type: ArgumentType; readonly offset: number }[];
    readonly byteLength: number;
  }

  /** A kernel of the mode webgl2. */
  export class WebGL2Kernel {
    constructor(source: unknown, settings: unknown);
    /** GLSL of the fragment shader, once assembled. */
    compiledFragmentShader: string | null;
    program: WebGLProgram;
    build(...args: readonly unknown[]): void;
    getFragmentShader(args: unknown): string;
    _setupOutputTexture(): void;
    _setupSubOutputTextures(): void;
  }

  export class WebGPUKernel {
    static readonly mode: string;
    static readonly isSupported: boolean;
    constructor(source: unknown, settings: unknown);
    /** WGSL of the whole shader, once built. */
    compiledSource: string;
    translatedBody: string;
    translatedFunctions: string;
    returnType: string;
    componentCount: number;
    workgroupSize: readonly number[];
    paramsLayout: ParamsLayout;
    built: boolean;
    build(...args: readonly unknown[]): Promise<void>;
    translateSource(): void;
    computeParamsLayout(): ParamsLayout;
    assembleWGSL(): string;
    _buildAsync(): Promise<void>;
  }
}
