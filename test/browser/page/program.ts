// A user's program, which a user's tools have in their hands: two steps of a training, in any mode.
import * as library from '../../../src/index.js';
import { toyTrainer } from './toy.js';

const OPEN = {
  js: async () => library.createJsBackend(),
  webgpu: () => library.createGpuBackend(),
  webgl2: () => library.createWebGlBackend(),
};
export type ModeName = keyof typeof OPEN;

/** Losses and gradient norms of two steps, all bits of them; null where the mode is not there. */
export async function program(mode: ModeName, text: string): Promise<number[] | null> {
  const backend = await OPEN[mode]().catch((error: unknown) => {
    if (error instanceof library.BackendError) return null;
    throw error;
  });
  if (backend === null) return null;
  const trainer = toyTrainer(library, text, backend);
  const numbers: number[] = [];
  for (let i = 0; i < 2; i++) {
    const { mlmLoss, sentenceLoss, gradNorm } = await trainer.step();
    numbers.push(mlmLoss, sentenceLoss, gradNorm);
  }
  trainer.dispose();
  return numbers;
}

Object.assign(globalThis, { program });
