import { BackendError } from '../../core/errors.js';

/** WebGPU of a browser. @throws {BackendError} where it has none */
export async function openWebGpu(): Promise<GPU> {
  const { gpu } = navigator;
  if (gpu !== undefined) return gpu;
  throw new BackendError('gpu: this browser has no WebGPU', {
    code: 'BACKEND-GPU',
    where: 'navigator.gpu',
    fix: 'use a browser that has it, over https or on localhost, or the mode webgl2',
  });
}
