import { BackendError } from '../../core/errors.js';

/** Kept for as long as the process lives: Dawn ends it with `terminate` when this is collected while work is under way. */
let opened: GPU | null = null;

/**
 * WebGPU in Node: the package `webgpu`, which is Dawn, the implementation that Chromium uses. It finds its driver through
 * the Vulkan loader, Metal or Direct3D 12.
 * @throws {BackendError} when the package does not load here
 */
export async function openWebGpu(): Promise<GPU> {
  // Dawn's Wayland look-up complains on standard error where this is unset; no window is ever opened.
  process.env.XDG_RUNTIME_DIR ??= '/tmp';
  try {
    const { create } = await import('webgpu');
    opened ??= create([]);
    return opened;
  } catch (cause) {
    const reason = String(cause instanceof Error ? cause.message : cause).split('\n')[0];
    throw new BackendError(`gpu: the package webgpu does not load: ${reason}`, {
      code: 'BACKEND-GPU',
      fix: 'run `npm ci`; it has no build for every platform',
      cause,
    });
  }
}

/** What trials have chosen on this adapter: in a file, so that the next process need not try again. */
export { fileMemory as tileMemory } from './tile-file.js';
