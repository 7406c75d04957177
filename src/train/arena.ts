import type { Backend, Buf } from '../backend/backend.js';
import type { Tensor } from '../tensor/tensor.js';

/** Parameters begin at multiples of 16 elements: a cache line of floats. */
const ALIGN = 16;

/** Where one parameter lies in the arena. */
interface Slot {
  readonly name: string;
  readonly parameter: Tensor;
  readonly offset: number;
}

/** A stretch of the arena whose parameters share a learning rate and are all decayed or not. */
export interface Run {
  readonly offset: number;
  readonly length: number;
  readonly decayed: boolean;
  /** Multiplies the learning rate. */
  readonly rate: number;
}

/**
 * All parameters of a model in one flat buffer, all gradients in another, both moments in two more; each parameter
 * and its gradient are windows of these. The optimizer then is one pass, clearing gradients costs nothing, and the order
 * (reversed, decayed parameters first) is the order in which backward completes them.
 */
export class ParameterArena {
  readonly params: Buf;
  readonly grads: Buf;
  readonly firstMoments: Buf;
  readonly secondMoments: Buf;
  /** Elements in front of this belong to parameters with weight decay. */
  readonly decayedLength: number;
  readonly length: number;
  private readonly slots: readonly Slot[];

  constructor(
    readonly backend: Backend,
    named: ReadonlyMap<string, Tensor>,
    decays: (name: string) => boolean,
  ) {
    const reversed = [...named].reverse();
    const decayed = reversed.filter(([name]) => decays(name));
    const slots: Slot[] = [];
    let offset = 0;
    const place = ([name, parameter]: [string, Tensor]): void => {
      slots.push({ name, parameter, offset });
      offset += Math.ceil(parameter.size / ALIGN) * ALIGN;
    };
    decayed.forEach(place);
    this.decayedLength = offset;
    reversed.filter(([name]) => !decays(name)).forEach(place);
    this.length = offset;
    this.slots = slots;
    this.params = this.zeroed();
    for (const slot of slots) this.adopt(slot);
    backend.trim?.(); // where the parameters were before, nothing as large comes again
    [this.grads, this.firstMoments, this.secondMoments] = [this.zeroed(), this.zeroed(), this.zeroed()];
    for (const slot of slots) this.openGradient(slot);
  }

  private zeroed(): Buf {
    const buf = this.backend.alloc(this.length, this.backend.float);
    this.backend.kernels.fill(buf, 0); // the gaps between parameters must not hold NaN
    return buf;
  }

  /** Moves a parameter into the arena. */
  private adopt({ parameter, offset }: Slot): void {
    const home = this.backend.view(this.params, offset, parameter.size);
    const line = { offset: 0, strides: [1] };
    this.backend.kernels.copy(parameter.buf, home, [parameter.size], line, line);
    parameter.rehome(home);
  }

  /** Gives a parameter its gradient window. */
  private openGradient({ parameter, offset }: Slot): void {
    parameter.grad?.dispose();
    parameter.grad = parameter.wrap(this.backend.view(this.grads, offset, parameter.size), parameter.shape).keep();
  }

  /**
   * The arena cut into runs that are updated alike, in order.
   * @param rateOf what the learning rate of a parameter is multiplied by
   */
  runs(rateOf: (name: string) => number): Run[] {
    const runs: Run[] = [];
    for (const [i, { name, offset }] of this.slots.entries()) {
      const end = this.slots[i + 1]?.offset ?? this.length;
      const [rate, decayed, last] = [rateOf(name), offset < this.decayedLength, runs.at(-1)];
      if (last !== undefined && last.rate === rate && last.decayed === decayed) {
        runs[runs.length - 1] = { ...last, length: end - last.offset };
      } else runs.push({ offset, length: end - offset, decayed, rate });
    }
    return runs;
  }

  /** Forgets all gradients: the first one that reaches a parameter overwrites what is there. */
  clearGradients(): void {
    for (const { parameter } of this.slots) parameter.gradEmpty = true;
  }

  /** Zeros where no gradient has arrived since they were cleared: the optimizer reads all of them. */
  settleGradients(): void {
    for (const { parameter } of this.slots) {
      if (parameter.gradEmpty && parameter.grad !== null) this.backend.kernels.fill(parameter.grad.buf, 0);
      parameter.gradEmpty = false;
    }
  }

  /** Both moments of every parameter by name, read back: what a checkpoint keeps besides the weights. */
  async moments(): Promise<Map<string, { m: Float32Array; v: Float32Array }>> {
    const [m, v] = await Promise.all([this.backend.read(this.firstMoments), this.backend.read(this.secondMoments)]);
    const part = (data: typeof m, { offset, parameter }: Slot): Float32Array =>
      Float32Array.from(data.subarray(offset, offset + parameter.size));
    return new Map(this.slots.map((slot) => [slot.name, { m: part(m, slot), v: part(v, slot) }]));
  }

  /** Writes one parameter's moments. @throws when the name is unknown */
  setMoments(name: string, m: Float32Array, v: Float32Array): void {
    const slot = this.slots.find((s) => s.name === name);
    if (slot === undefined) throw new Error(`no parameter "${name}"`);
    for (const [flat, data] of [
      [this.firstMoments, m],
      [this.secondMoments, v],
    ] as const) {
      const window = this.backend.view(flat, slot.offset, slot.parameter.size);
      this.backend.write(window, data);
      this.backend.free(window);
    }
  }

  /** Gives back the moments and the arena; the parameters keep their windows alive until they are disposed of. */
  dispose(): void {
    for (const buf of [this.params, this.grads, this.firstMoments, this.secondMoments]) this.backend.free(buf);
  }
}
