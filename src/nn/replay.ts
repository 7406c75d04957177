import { isObserved, noGrad } from '../autograd/apply.js';
import { type Known, recordKnown, replayKnown } from '../autograd/recordings.js';
import { scope } from '../autograd/scope.js';
import { placement } from '../autograd/value.js';
import type { Backend, Buf } from '../backend/backend.js';
import type { TypedData } from '../core/dtype.js';
import { Recent } from '../core/recent.js';
import type { Tensor } from '../tensor/tensor.js';

/** Shapes that are remembered; the one that was used longest ago goes first. */
const MOST = 16;

/** No random numbers, and no optimizer. */
const NEVER = { step: 0, lr: 0, correction1: 1, correction2: 1 } as const;

/** What a pass leaves for reading, and how to run it again once it has come a second time. */
interface Met {
  readonly results: readonly Pick<Buf, 'length' | 'dtype'>[];
  recorded: Recorded | null;
}

interface Recorded extends Known {
  /** Where the results are left. */
  readonly bufs: readonly Buf[];
  free(): void;
}

/**
 * Forward passes of one model without gradients. One whose shapes come a second time is recorded, and from then on its
 * kernels run without the program that enqueued them: the same bits, for hardly any JavaScript. Where weights have
 * moved, been laid out anew or gone since, passes run as they are, and so does everything on a backend that cannot record.
 */
export class Replay {
  /** By key, the newest last. */
  private readonly met = new Recent<Met>(MOST, ({ recorded }) => recorded?.free());
  private moves = 0;

  /** How many passes can be replayed. */
  get size(): number {
    return [...this.met.values()].filter(({ recorded }) => recorded !== null).length;
  }

  /**
   * The values of what `body` makes.
   * @param key names all that decides what `body` computes, besides weights and the content of `inputs`; null: whatever
   *   comes, this pass runs as it is
   * @param inputs arrays that `body` uploads at most once each, in an order of their own, the same for each key
   */
  values(
    backend: Backend,
    key: string | null,
    inputs: readonly TypedData[],
    body: () => readonly Tensor[],
  ): Promise<TypedData[]> {
    if (this.moves !== placement.moves) this.forget();
    const met = key === null ? undefined : this.met.get(key);
    // Kernels of a recording have no names for a trace, and show nobody what they make.
    if (key === null || met === undefined || backend.record === undefined || backend.trace || isObserved())
      return this.first(key, body);
    this.met.keep(key, met);
    met.recorded ??= record(backend, met, inputs, body);
    replayKnown(backend, met.recorded, inputs, NEVER);
    return Promise.all(met.recorded.bufs.map((buf) => backend.read(buf)));
  }

  /** Gives all memory back. */
  forget(): void {
    this.met.forget();
    this.moves = placement.moves;
  }

  private async first(key: string | null, body: () => readonly Tensor[]): Promise<TypedData[]> {
    const made = scope(() => noGrad(body));
    // The first products of a frozen weight lay it out.
    if (this.moves !== placement.moves) this.forget();
    const results = made.map(({ buf: { length, dtype } }) => ({ length, dtype }));
    if (key !== null && !this.met.has(key)) this.met.keep(key, { results, recorded: null });
    try {
      return await Promise.all(made.map((tensor) => tensor.data()));
    } finally {
      for (const tensor of made) tensor.dispose();
    }
  }
}

function record(
  backend: Backend,
  { results }: Met,
  inputs: readonly TypedData[],
  body: () => readonly Tensor[],
): Recorded {
  const bufs = results.map(({ length, dtype }) => backend.alloc(length, dtype));
  const free = (): void => {
    for (const buf of bufs) backend.free(buf);
  };
  const whole = { offset: 0, strides: [1] };
  const enqueue = (): void => {
    for (const [i, { buf, size }] of noGrad(body).entries()) backend.kernels.copy(buf, bufs[i], [size], whole, whole);
  };
  try {
    const known = recordKnown(backend, inputs, () => scope(enqueue));
    return {
      ...known,
      bufs,
      free: () => {
        known.recording.free();
        free();
      },
    };
  } catch (error) {
    free();
    throw error;
  }
}
