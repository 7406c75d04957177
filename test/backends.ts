import { createNativeBackend } from '#native';
import type { Backend } from '../src/backend/backend.js';
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
