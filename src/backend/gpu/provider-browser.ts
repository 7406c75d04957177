import { BackendError } from '../../core/errors.js';
import { shortMemory, type TileMemory } from './tile-memory.js';

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

const memories = new Map<string, TileMemory>();

/** What trials have chosen on this adapter, for as long as the page lives. */
export function tileMemory(adapter: string): TileMemory {
  const memory = memories.get(adapter) ?? shortMemory();
  memories.set(adapter, memory);
  return memory;
}
