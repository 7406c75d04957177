import { BackendError } from '../../../core/errors.js';
import { dropThreshold, type RandomKey, randomRow } from '../../../core/random.js';
import type { Buf } from '../../backend.js';
import type { Args, Dims, PlainKernel, PlainRunner } from '../spec.js';
import type { Context } from './context.js';
import { GlIds } from './ids.js';
import { type GlBuf, type GlMemory, isWhole } from './memory.js';
import type { Program, Programs, WideKernel } from './program.js';
import { type Grid, LANES } from './textures.js';

/** A window of a texture, as a kernel sees it; a sheet has no dims. */
interface Place {
  readonly grid: Grid;
  readonly at: number;
  readonly dims: Dims;
}

/** Elements of a larger texture: drawn where the scissors let it. */
const PUT: PlainKernel = {
  name: 'put',
  params: { part: 'f32', at: 'int' },
  rank: 1,
  text: 'function (part, at) { return part[this.thread.x - at]; }',
};

/** The same where a texel holds elements on both sides of a border: all of the texture is drawn anew. */
const PUT_AMID: PlainKernel = {
  name: 'put amid',
  params: { part: 'f32', rest: 'f32', at: 'int', n: 'int' },
  rank: 1,
  text: `function (part, rest, at, n) {
  let value = rest[this.thread.x];
  if (this.thread.x >= at && this.thread.x < at + n) { value = part[this.thread.x - at]; }
  return value;
}`,
};

/** Reads with strides, whatever the shape of the texture that is drawn to. */
const SHEET: PlainKernel = {
  name: 'sheet',
  params: { x: 'f32', layer: 'int', row: 'int', col: 'int' },
  rank: 3,
  text: 'function (x, layer, row, col) { return x[this.thread.z * layer + this.thread.y * row + this.thread.x * col]; }',
};

/**
 * Draws plain kernels. A texture cannot be read and drawn to at once, so a result that is also an input gets a texture
 * of its own, which then takes the other's place; a window is drawn apart and put where it belongs.
 */
export class GlRunner implements PlainRunner {
  readonly ids: GlIds;

  constructor(
    private readonly context: Context,
    private readonly memory: GlMemory,
    private readonly programs: Programs,
  ) {
    const own = (buf: Buf): GlBuf => this.memory.own(buf);
    this.ids = new GlIds(
      this,
      (buf) => this.read(own(buf)),
      (buf, data) => this.write(own(buf), data),
      (length) => this.memory.ownFloats(length),
    );
  }

  checkIds(ids: Buf, count: number, limit: number, other = 0): void {
    this.ids.check(ids, count, limit, other);
  }

  alloc(length: number, dtype: 'f32' | 'i32'): Buf {
    return this.memory.alloc(length, dtype);
  }

  free(buf: Buf): void {
    this.memory.free(buf);
  }

  upload(data: Float32Array | Int32Array): Buf {
    const buf = this.memory.alloc(data.length, data instanceof Int32Array ? 'i32' : 'f32');
    this.write(buf, data);
    return buf;
  }

  window(buf: Buf, offset: number, length: number, use: (window: Buf) => void): void {
    const window = this.memory.view(buf, offset, length);
    use(window);
    this.memory.free(window);
  }

  /** Fragments have 32-bit integers, but gpu.js writes no kernel with them: the processor draws. */
  keepFactors(keep: Buf, rows: number, cols: number, rate: number, key: RandomKey, places: Buf | null): void {
    const given = places === null ? null : this.read(this.memory.own(places));
    const factors = new Float32Array(rows * cols);
    const words = new Uint16Array(cols);
    const [threshold, scale] = [dropThreshold(rate), 1 / (1 - rate)];
    for (let row = 0; row < rows; row++) {
      randomRow(words, cols, given === null ? row : given[row], key);
      for (let col = 0; col < cols; col++) factors[row * cols + col] = words[col] < threshold ? 0 : scale;
    }
    this.write(this.memory.own(keep), factors);
  }

  run(kernel: PlainKernel, args: Args, output: Dims, y: Buf): void {
    const target = this.memory.own(y);
    const count = output[0] * output[1] * output[2];
    if (count === 0) return;
    let read = false;
    const places = args.map((arg): Place | number => {
      if (typeof arg === 'number') return arg;
      const buf = this.memory.own(arg.buf);
      read ||= buf.share === target.share;
      return { grid: this.memory.gridOf(buf), at: buf.at, dims: arg.dims };
    });
    this.render(this.programs.get(kernel), places, output, { target, count, read });
  }

  /** The same for a kernel whose parameters may be sheets. @param output in texels */
  runWide(kernel: WideKernel, args: readonly (Grid | Buf | number)[], output: Dims, y: Buf): void {
    const target = this.memory.own(y);
    const places = args.map((arg): Place | number => {
      if (typeof arg === 'number') return arg;
      if ('texture' in arg) return { grid: arg, at: 0, dims: [1, 1, 1] };
      const buf = this.memory.own(arg);
      return { grid: this.memory.gridOf(buf), at: buf.at, dims: [buf.length, 1, 1] };
    });
    const count = LANES * output[0] * output[1] * output[2];
    this.render(this.programs.get(kernel), places, output, { target, count, read: false });
  }

  /** A sheet of `cols` elements a row: x read with strides. Whoever asks gives it back. */
  sheet(x: Buf, [cols, rows, layers]: Dims, strides: readonly [number, number, number]): Grid {
    const buf = this.memory.own(x);
    const grid = this.memory.textures.takeSheet(cols / LANES, rows * layers);
    const source: Place = { grid: this.memory.gridOf(buf), at: buf.at, dims: [buf.length, 1, 1] };
    const args = [source, ...strides];
    this.draw(this.programs.get(SHEET), args, [cols, rows, layers], grid, cols * rows * layers);
    return grid;
  }

  private render(
    program: Program,
    places: readonly (Place | number)[],
    output: Dims,
    { target, count, read }: { target: GlBuf; count: number; read: boolean },
  ): void {
    if (count !== target.length) {
      throw new BackendError(`gpu: kernel ${program.name} has ${count} results for a buffer of ${target.length}`);
    }
    const straight = isWhole(target) && !read;
    const grid = straight ? this.memory.gridOf(target) : this.memory.textures.take(count);
    this.draw(program, places, output, grid, count);
    if (!isWhole(target)) this.put(grid, target);
    else if (!straight) this.memory.replace(target, grid);
  }

  /** Replaces a buffer's content, after all that was drawn so far. @throws {BackendError} integers beyond 2^24 */
  write(buf: GlBuf, data: Float32Array | Int32Array): void {
    if (data.length === 0) return;
    const beyond = data instanceof Int32Array ? data.find((value) => Math.fround(value) !== value) : undefined;
    if (beyond !== undefined) {
      throw new BackendError(`gpu: WebGL keeps integers as floats, and ${beyond} is none of them`, {
        code: 'BACKEND-GPU-LIMIT',
        fix: 'use WebGPU, or the js backend',
      });
    }
    const { textures } = this.memory;
    const grid = isWhole(buf) ? this.memory.gridOf(buf) : textures.take(data.length);
    textures.fill(grid, data);
    if (!isWhole(buf)) this.put(grid, buf);
  }

  read(buf: GlBuf): Float32Array | Int32Array {
    if (buf.length === 0) return buf.dtype === 'i32' ? new Int32Array(0) : new Float32Array(0);
    const values = this.memory.textures.read(this.memory.gridOf(buf), buf.at, buf.length);
    return buf.dtype === 'i32' ? Int32Array.from(values) : values;
  }

  /** Puts a texture's elements where `target` begins, and gives the texture back. */
  private put(part: Grid, target: GlBuf): void {
    const { at, length, share } = target;
    const source: Place = { grid: part, at: 0, dims: [length, 1, 1] };
    const all: Dims = [share.length, 1, 1];
    const end = at + length === share.length ? Math.ceil(share.length / LANES) * LANES : at + length;
    const { textures } = this.memory;
    const grid = this.memory.gridOf(target);
    if (at % LANES === 0 && end % LANES === 0) {
      const { gl } = this.context;
      const program = this.programs.get(PUT); // compiling it moves the scissors
      gl.enable(gl.SCISSOR_TEST);
      for (const [x, y, width, height] of rectangles(at / LANES, end / LANES, grid.width)) {
        gl.scissor(x, y, width, height);
        this.draw(program, [source, at], all, grid, share.length);
      }
      gl.disable(gl.SCISSOR_TEST);
    } else {
      const other = textures.take(share.length);
      const rest: Place = { grid, at: 0, dims: all };
      this.draw(this.programs.get(PUT_AMID), [source, rest, at, length], all, other, share.length);
      this.memory.replace(target, other);
    }
    textures.give(part);
  }

  private draw(program: Program, args: readonly (Place | number)[], output: Dims, target: Grid, count: number): void {
    const { gl } = this.context;
    gl.useProgram(program.program);
    gl.bindVertexArray(program.corners);
    let unit = 0;
    for (const [i, arg] of args.entries()) {
      const { kind, value, size, dims } = program.params[i];
      if (typeof arg === 'object') {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, arg.grid.texture);
        gl.uniform1i(value, unit++);
        const { width, height } = arg.grid;
        if (kind === 'sheet') gl.uniform2i(size, width, height);
        else gl.uniform2i(size, Math.log2(width), arg.at);
        gl.uniform3i(dims, ...arg.dims);
      } else if (kind === 'int') gl.uniform1i(value, arg);
      else gl.uniform1f(value, arg);
    }
    gl.uniform3i(program.outputDims, ...output);
    gl.uniform2i(program.outputSize, target.width, target.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target.framebuffer);
    gl.viewport(0, 0, target.width, Math.ceil(count / (LANES * target.width)));
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

/** Texels `from` .. `to` - 1 of rows of `width`: part of a row, whole rows, part of a row. */
function* rectangles(from: number, to: number, width: number): Generator<readonly [number, number, number, number]> {
  const [first, last] = [Math.floor(from / width), Math.floor((to - 1) / width)];
  if (first === last) return yield [from - first * width, first, to - from, 1];
  const begin = from % width === 0 ? first : first + 1;
  if (begin > first) yield [from - first * width, first, width - (from - first * width), 1];
  const end = to % width === 0 ? last + 1 : last;
  if (end > begin) yield [0, begin, width, end - begin];
  if (end <= last) yield [0, last, to - last * width, 1];
}
