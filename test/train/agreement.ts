// How far the losses of a float32 training may be from those of another float32 training of the same steps.
import { Rng } from '../../src/core/random.js';
import type { Trainer } from '../../src/train/trainer.js';

/**
 * Relative error of a gradient computed in float32, as a share of the largest element of each parameter's: what
 * test/bert/golden.test.ts asserts of every parameter on every backend.
 */
const GRADIENT_ERROR = 5e-6;
/** Relative error of a loss computed in float32 from the same weights; the same test. */
const LOSS_ERROR = 2e-6;
/** Random directions tried, and how much worse than their worst another one may be. */
const DIRECTIONS = 2;
const MARGIN = 4;

/** Gives every gradient an error of the size that float32 has, before the optimizer sees it. */
function disturb(trainer: Trainer, rng: Rng): void {
  const { model, optimizer } = trainer;
  const update = optimizer.step.bind(optimizer);
  optimizer.step = async (lr) => {
    for (const [, { grad }] of model.namedParameters()) {
      if (grad === null) continue;
      const values = (await grad.data()) as Float64Array;
      const size = GRADIENT_ERROR * values.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
      grad.assign(values.map((g) => g + size * (2 * rng.uniform() - 1)));
    }
    return update(lr);
  };
}

/**
 * Bounds on the difference between the losses of two float32 trainings, step by step. What a float32 gradient does to a
 * training is what an exact gradient with a small error does to it (backward error: Higham 2002, sec. 1.5). So the same
 * training runs in double precision, undisturbed and with such errors in every gradient of every step; the losses move
 * by as much as this training amplifies them. Two trainings may each be that far from the exact one.
 * @param train the losses of each step of a training in double precision; a row of several losses a step
 */
export async function lossBounds(
  train: (change: (trainer: Trainer) => void) => Promise<number[][]>,
): Promise<{ exact: number[][]; bounds: number[][] }> {
  const exact = await train(() => undefined);
  const moved = exact.map((losses) => losses.map(() => 0));
  for (let direction = 0; direction < DIRECTIONS; direction++) {
    const rng = new Rng(direction, 902);
    const disturbed = await train((trainer) => disturb(trainer, rng));
    for (const [i, losses] of disturbed.entries()) {
      for (const [j, loss] of losses.entries()) moved[i][j] = Math.max(moved[i][j], Math.abs(loss - exact[i][j]));
    }
  }
  // What was amplified once does not shrink for certain: the largest deviation so far counts.
  const most = exact[0].map(() => 0);
  const bounds = exact.map((losses, i) =>
    losses.map((loss, j) => {
      most[j] = Math.max(most[j], moved[i][j]);
      return 2 * (MARGIN * most[j] + LOSS_ERROR * Math.abs(loss));
    }),
  );
  return { exact, bounds };
}
