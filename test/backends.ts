import { createNativeBackend } from '#native';
import type { Backend } from '../src/backend/backend.js';
import { createGpuBackend, type GpuBackend, type Tier } from '../src/backend/gpu/index.js';
import { createJsBackend } from '../src/backend/js/index.js';
import { BackendError } from '../src/core/errors.js';
import { requiredParts } from './skip.js';

/** A backend to test on, with the type of its floats. */
export interface Tested {
  readonly name: string;
  readonly dtype: 'f32' | 'f64';
  create(): Backend;
}

function nativeRuns(): boolean {
  try {
    createNativeBackend();
    return true;
  } catch (error) {
    if (!(error instanceof BackendError) || requiredParts().includes('native')) throw error;
    return false;
  }
}

/** All that run here: the reference in both precisions, and native where the addon was built. */
export const BACKENDS: readonly Tested[] = [
  { name: 'js f64', dtype: 'f64', create: () => createJsBackend('f64') },
  { name: 'js f32', dtype: 'f32', create: () => createJsBackend('f32') },
  ...(nativeRuns() ? [{ name: 'native', dtype: 'f32', create: createNativeBackend } as const] : []),
];

/** Why there is no GPU backend here, not even on a software adapter; null where there is one. */
export let whyNoGpu: string | null = null;

async function gpuRuns(tier: Tier): Promise<GpuBackend | null> {
  try {
    return await createGpuBackend({ tier });
  } catch (error) {
    if (!(error instanceof BackendError) || requiredParts().includes('gpu')) throw error;
    whyNoGpu = error.message;
    return null;
  }
}

const gpuPlain = await gpuRuns('plain');
const gpuFast = gpuPlain && (await gpuRuns('fast'));

/** Both tiers of kernels on WebGPU. They are slow where a processor plays the GPU, so only tests of kernels take them. */
export const GPU_BACKENDS: readonly Tested[] = [
  ...(gpuFast === null ? [] : [{ name: 'gpu', dtype: 'f32', create: (): Backend => gpuFast } as const]),
  ...(gpuPlain === null ? [] : [{ name: 'gpu plain', dtype: 'f32', create: (): Backend => gpuPlain } as const]),
];
