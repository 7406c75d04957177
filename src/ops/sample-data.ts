import type { TypedData } from '../core/dtype.js';
import { Rng } from '../core/random.js';
import { numel, type Shape } from '../core/shape.js';
import type { SampleInput } from './op.js';

/** Values of one input of a sample. Floats are such as f32 holds exactly, so that all backends get the same numbers. */
export interface SampleData {
  readonly shape: Shape;
  readonly data: TypedData;
  /** Index of the earlier input that this one is. */
  readonly same?: number;
}

/** Random numbers of samples have a stream of their own. */
const STREAM_SAMPLES = 900;

/** Inputs of a sample with values: Float64Array for floats, Int32Array for ids. The same seed gives the same values. */
export function sampleData(inputs: readonly (SampleInput | Shape)[], seed: number): SampleData[] {
  const made: SampleData[] = [];
  inputs.forEach((input, i) => {
    const spec: SampleInput = 'shape' in input ? input : { shape: input };
    const { shape, same } = spec;
    if (same === undefined) made.push({ shape, data: valuesOf(spec, new Rng(seed, STREAM_SAMPLES, i)) });
    else made.push({ shape, data: made[same].data, same });
  });
  return made;
}

function valuesOf({ shape, ids, values, range: [low, high] = [-2, 2], apart }: SampleInput, rng: Rng): TypedData {
  const length = numel(shape);
  const draw = (i: number): number => {
    if (values !== undefined) return values[i];
    // 3001 is prime to 8191, so the first 8191 values differ; neighbours are far from each other.
    if (apart !== undefined) return 0.02 * (((i * 3001) % 8191) - 4095 + apart);
    return low + (high - low) * rng.uniform();
  };
  // Plain loops: a table of words has 23 million values, and `from` with a function takes several times as long.
  const data = ids === undefined ? new Float64Array(length) : new Int32Array(length);
  if (ids === undefined) for (let i = 0; i < length; i++) data[i] = Math.fround(draw(i));
  else for (let i = 0; i < length; i++) data[i] = values === undefined ? rng.int(ids) : values[i];
  return data;
}
