import { BackendError } from '../../../core/errors.js';
import type { Context } from './context.js';

/**
 * A texture of four floats a texel, filled row by row. That of a buffer has a power of two as its width, so that a place is
 * found by shifts; a sheet has the width of a matrix, so that row and column are places already.
 */
export interface Grid {
  readonly texture: WebGLTexture;
  readonly framebuffer: WebGLFramebuffer;
  readonly width: number;
  readonly height: number;
}

/** Sheets of one size that a kernel draws to at once. */
export interface Stack {
  readonly sheets: readonly Grid[];
  readonly framebuffer: WebGLFramebuffer;
}

/** Floats of a texel. */
export const LANES = 4;

const keyOf = (width: number, height: number): number => width * 2 ** 20 + height;

/** Square up to a width of 1024, then longer; beyond the longest, wider. */
function sizeOf(elements: number, side: number): readonly [width: number, height: number] {
  const texels = Math.max(1, Math.ceil(elements / LANES));
  let shift = Math.min(10, Math.ceil(Math.log2(texels) / 2));
  while (Math.ceil(texels / 2 ** shift) > side && 2 ** (shift + 1) <= side) shift++;
  const height = Math.ceil(texels / 2 ** shift);
  // Heights are rounded up to a quarter of a power of two, so that other lengths find their textures again.
  const step = Math.max(1, 2 ** (Math.floor(Math.log2(height)) - 2));
  return [2 ** shift, Math.min(side, Math.ceil(height / step) * step)];
}

/** Textures, handed out again as soon as they are given back: draws run in the order of their calls. */
export class Textures {
  private readonly free = new Map<number, Grid[]>();
  private readonly stacks = new Map<string, Stack[]>();

  constructor(private readonly context: Context) {}

  /** Texels along a side at most. */
  get side(): number {
    return this.context.side;
  }

  /** @throws {BackendError} more elements than a texture holds */
  take(elements: number): Grid {
    if (elements > LANES * this.side ** 2) throw tooLarge(elements, this.side);
    return this.takeSheet(...sizeOf(elements, this.context.side));
  }

  /** One of `width` texels and `height` rows. */
  takeSheet(width: number, height: number): Grid {
    return this.free.get(keyOf(width, height))?.pop() ?? this.create(width, height);
  }

  give(grid: Grid): void {
    const key = keyOf(grid.width, grid.height);
    const list = this.free.get(key);
    if (list === undefined) this.free.set(key, [grid]);
    else list.push(grid);
  }

  /** As many sheets as a kernel has results. */
  takeStack(count: number, width: number, height: number): Stack {
    const key = `${count} ${keyOf(width, height)}`;
    return this.stacks.get(key)?.pop() ?? this.createStack(count, width, height);
  }

  giveStack(stack: Stack): void {
    const { width, height } = stack.sheets[0];
    const key = `${stack.sheets.length} ${keyOf(width, height)}`;
    const list = this.stacks.get(key);
    if (list === undefined) this.stacks.set(key, [stack]);
    else list.push(stack);
  }

  private createStack(count: number, width: number, height: number): Stack {
    const { gl } = this.context;
    const sheets = Array.from({ length: count }, () => this.create(width, height));
    const framebuffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    const places = sheets.map((_, i) => gl.COLOR_ATTACHMENT0 + i);
    for (const [i, { texture }] of sheets.entries()) {
      gl.framebufferTexture2D(gl.FRAMEBUFFER, places[i], gl.TEXTURE_2D, texture, 0);
    }
    gl.drawBuffers(places);
    return { sheets, framebuffer };
  }

  private create(width: number, height: number): Grid {
    const { gl } = this.context;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, width, height);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    const framebuffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    return { texture, framebuffer, width, height };
  }

  /** Fills the first texels with `values`; the rest of the last row becomes 0. */
  fill({ texture, width }: Grid, values: ArrayLike<number>): void {
    const { gl } = this.context;
    const rows = Math.ceil(values.length / (LANES * width));
    const data = new Float32Array(rows * LANES * width);
    data.set(values);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, rows, gl.RGBA, gl.FLOAT, data);
  }

  /** Elements from `at` on. Waits for all draws before it. */
  read({ framebuffer, width }: Grid, at: number, length: number): Float32Array {
    const { gl } = this.context;
    const row = LANES * width;
    const first = Math.floor(at / row);
    const rows = Math.ceil((at + length) / row) - first;
    const data = new Float32Array(rows * row);
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.readPixels(0, first, width, rows, gl.RGBA, gl.FLOAT, data);
    this.context.check();
    return data.slice(at - first * row, at - first * row + length);
  }
}

const tooLarge = (elements: number, side: number): BackendError =>
  new BackendError(`gpu: a tensor of ${elements} elements is beyond what a texture holds`, {
    code: 'BACKEND-GPU-LIMIT',
    where: `MAX_TEXTURE_SIZE ${side}: ${LANES * side ** 2} elements`,
    fix: 'use a smaller batch or model, or WebGPU',
  });
