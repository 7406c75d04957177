// What makes a backend on the GPU. Its kernels are loaded with the first one: most programs never open a GPU.
import type { GpuBackend, GpuOptions } from './index.js';
import type { WebGlBackend, WebGlOptions } from './webgl/index.js';

/**
 * A backend on the GPU that WebGPU offers first.
 * @throws {BackendError} when there is no adapter, or gpu.js is not the version that this was made for
 */
export async function createGpuBackend(options?: GpuOptions): Promise<GpuBackend> {
  return (await import('./index.js')).createGpuBackend(options);
}

/** @throws {BackendError} where there is no WebGL 2 that draws to textures of floats */
export async function createWebGlBackend(options?: WebGlOptions): Promise<WebGlBackend> {
  return (await import('./webgl/index.js')).createWebGlBackend(options);
}
