// The backends of a page. Each is opened when it is asked for, and may not be there.
import type { Backend } from '../../../src/backend/backend.js';
import { createGpuBackend } from '../../../src/backend/gpu/index.js';
import { createWebGlBackend } from '../../../src/backend/gpu/webgl/index.js';
import { createJsBackend } from '../../../src/backend/js/index.js';

type Library = typeof import('../../../src/index.js');

export interface Mode {
  readonly name: string;
  /** From the sources that the conformance suite is built with. */
  open(options?: { readonly mostWork?: number; readonly rows?: 4 | 8 }): Promise<Backend>;
  /** From the library as a page has it. */
  train(library: Library): Promise<Backend>;
}

export const MODES: readonly Mode[] = [
  { name: 'js', open: async () => createJsBackend(), train: async (library) => library.createJsBackend() },
  { name: 'webgpu', open: (options) => createGpuBackend(options), train: (library) => library.createGpuBackend() },
  { name: 'webgl2', open: (options) => createWebGlBackend(options), train: (library) => library.createWebGlBackend() },
];
