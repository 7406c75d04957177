import type { Moment } from '../backend.js';
import type { Place } from './binder.js';
import type { Compiled } from './compile.js';
import type { Args, Dims } from './spec.js';

/** Bytes from the parameters of one launch to those of the next: minUniformBufferOffsetAlignment. */
export const SLICE = 256;

/** Numbers that differ from one run of a recording to the next; while one is made, place-holders stand for them. */
const LIVE: readonly (keyof Moment)[] = ['step', 'lr', 'correction1', 'correction2'];
/** No kernel takes a number as far below 0. */
const PLACE_HOLDER = -(2 ** 60);
const PLACE_HOLDERS = LIVE.map((_, i) => PLACE_HOLDER - i * 2 ** 10);

export const placeHolder = (name: keyof Moment): number => PLACE_HOLDERS[LIVE.indexOf(name)];

/** Where such a number goes. */
export interface LiveWord {
  readonly word: number;
  readonly float: boolean;
  readonly name: keyof Moment;
}

/** The parameters of the launch at hand. */
export class Params {
  readonly words = new Uint32Array(SLICE / 4);
  private readonly floats = new Float32Array(this.words.buffer);
  /** Those that are place-holders. */
  live: LiveWord[] = [];

  /**
   * @param args arrays and numbers in their order @param places of the arrays, the first result last
   * @param output its sizes and @param width of a dispatch, as gpu.js has them
   */
  fill(kernel: Compiled, args: Args, places: readonly (Place | null)[], output: Dims, width: number): void {
    const { words } = this;
    let array = 0;
    let scalar = 0;
    this.live = [];
    this.put(0, output);
    words[3] = width;
    for (const arg of args) {
      if (typeof arg === 'number') this.number(kernel.scalars[scalar++], arg);
      else {
        this.put(4 + 4 * array, arg.dims);
        words[7 + 4 * array] = places[array++]?.skip ?? 0;
      }
    }
    words[kernel.resultWord] = places[array]?.skip ?? 0;
  }

  put(word: number, [x, y, z]: Dims): void {
    this.words[word] = x;
    this.words[word + 1] = y;
    this.words[word + 2] = z;
  }

  private number({ word, float }: Compiled['scalars'][number], value: number): void {
    if (value <= PLACE_HOLDER) this.live.push({ word, float, name: LIVE[PLACE_HOLDERS.indexOf(value)] });
    else if (float) this.floats[word] = value;
    else this.words[word] = value;
  }
}
