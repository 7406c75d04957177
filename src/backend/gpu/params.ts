import { BackendError } from '../../core/errors.js';
import type { Moment } from '../backend.js';
import type { Compiled } from './compile.js';
import type { GpuBuf } from './memory.js';
import type { Args } from './spec.js';

/** Bytes from the parameters of one launch to those of the next: minUniformBufferOffsetAlignment. */
export const SLICE = 256;
/** Where the dims of the first array begin, in words. */
const DIMS = 4;

/** The word that says where array i begins. */
export const skipWord = (i: number): number => DIMS + 4 * i + 3;

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

  /** @param head output sizes and the width of a dispatch, as gpu.js has them */
  fill(kernel: Compiled, args: Args, targets: readonly GpuBuf[], head: readonly number[]): void {
    const { words, floats } = this;
    let array = 0;
    let scalar = 0;
    this.live = [];
    words.set(head);
    for (const arg of args) {
      if (typeof arg === 'object') words.set(arg.dims, DIMS + 4 * array++);
      else {
        const { word, float } = kernel.scalars[scalar++];
        if (arg <= PLACE_HOLDER) this.live.push({ word, float, name: LIVE[PLACE_HOLDERS.indexOf(arg)] });
        else if (float) floats[word] = arg;
        else words[word] = arg;
      }
    }
    for (const target of targets.slice(1)) words.set([target.length, 1, 1], DIMS + 4 * array++);
    if (array !== kernel.arrays.length || scalar !== kernel.scalars.length) {
      throw new BackendError(`gpu: kernel ${kernel.name} was given ${array} arrays and ${scalar} numbers`);
    }
  }
}
