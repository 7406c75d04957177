import { BackendError } from '../../../core/errors.js';
import { dropThreshold, type RandomKey, randomRow } from '../../../core/random.js';
import type { Buf } from '../../backend.js';
import { partsOf } from '../parts.js';
import { type Args, type Dims, type Operand, type PlainKernel, type PlainRunner, workOf } from '../spec.js';
import type { Context } from './context.js';
import { PUT, PUT_AMID, rectangles, SHEET, SHEET_OF_TEXELS } from './copies.js';
import { GlIds } from './ids.js';
import { type GlBuf, type GlMemory, isWhole } from './memory.js';
import type { Program, Programs, WideKernel } from './program.js';
import { type Grid, LANES, type Stack } from './textures.js';

/** A window of a texture, as a kernel sees it; a sheet has no dims. */
interface Place {
  readonly grid: Grid;
  readonly at: number;
  readonly dims: Dims;
}

/** What a kernel that computes whole texels is given for its parameters, in their order. */
type WideArgs = readonly (Grid | Operand | number)[];

/**
 * Draws plain kernels. A texture cannot be read and drawn to at once, so a result that is also an input gets a texture
 * of its own, which then takes the other's place; a window is drawn apart and put where it belongs.
 */
export class GlRunner implements PlainRunner {
  readonly ids: GlIds;
  /** Of what was drawn since it went to the device. */
  private work = 0;

  /** @param mostWork of one draw, and of what goes to the device together */
  constructor(
    private readonly context: Context,
    private readonly memory: GlMemory,
    private readonly programs: Programs,
    private readonly mostWork: number,
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
    const work = workOf(kernel, args, output);
    this.render(this.programs.get(kernel), places, output, { target, count, read, work });
  }

  /** The same for a kernel that computes whole texels. @param output in texels @param work multiplications and additions */
  runWide(kernel: WideKernel, args: WideArgs, output: Dims, y: Buf, work = 0): void {
    const target = this.memory.own(y);
    const places = this.placesOf(args);
    const count = Math.min(target.length, LANES * output[0] * output[1] * output[2]);
    this.render(this.programs.get(kernel), places, output, { target, count, read: false, work });
  }

  /** Sheets of `output` texels, one of each result. Whoever asks gives them back. @param work as above */
  runStack(kernel: WideKernel, args: WideArgs, output: Dims, work: number): Stack {
    const stack = this.memory.textures.takeStack(1 + (kernel.beside?.length ?? 0), output[0], output[1] * output[2]);
    const target = { ...stack.sheets[0], framebuffer: stack.framebuffer };
    const count = LANES * output[0] * output[1] * output[2];
    this.draw(this.programs.get(kernel), this.placesOf(args), output, target, { count, work });
    return stack;
  }

  /** A sheet of `cols` elements a row, as x has them; layers are `stride` elements apart. Whoever asks gives it back. */
  sheet(x: Buf, [cols, rows, layers]: Dims, stride: number): Grid {
    const buf = this.memory.own(x);
    const grid = this.memory.textures.takeSheet(cols / LANES, rows * layers);
    const source: Place = { grid: this.memory.gridOf(buf), at: buf.at, dims: [buf.length, 1, 1] };
    const count = cols * rows * layers;
    if (buf.at % LANES === 0 && stride % LANES === 0 && buf.length % LANES === 0) {
      const [row, layer] = [cols / LANES, stride / LANES];
      this.draw(this.programs.get(SHEET_OF_TEXELS), [source, layer, row], [row, rows, layers], grid, { count });
    } else this.draw(this.programs.get(SHEET), [source, stride, cols], [cols, rows, layers], grid, { count });
    return grid;
  }

  private placesOf(args: WideArgs): (Place | number)[] {
    return args.map((arg): Place | number => {
      if (typeof arg === 'number') return arg;
      if ('texture' in arg) return { grid: arg, at: 0, dims: [1, 1, 1] };
      const buf = this.memory.own(arg.buf);
      return { grid: this.memory.gridOf(buf), at: buf.at, dims: arg.dims };
    });
  }

  private render(
    program: Program,
    places: readonly (Place | number)[],
    output: Dims,
    { target, count, read, work }: { target: GlBuf; count: number; read: boolean; work: number },
  ): void {
    if (count !== target.length) {
      throw new BackendError(`gpu: kernel ${program.name} has ${count} results for a buffer of ${target.length}`);
    }
    const straight = isWhole(target) && !read;
    const grid = straight ? this.memory.gridOf(target) : this.memory.textures.take(count);
    this.draw(program, places, output, grid, { count, work });
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
        this.draw(program, [source, at], all, grid, { count: share.length });
      }
      gl.disable(gl.SCISSOR_TEST);
    } else {
      const other = textures.take(share.length);
      const rest: Place = { grid, at: 0, dims: all };
      this.draw(this.programs.get(PUT_AMID), [source, rest, at, length], all, other, { count: share.length });
      this.memory.replace(target, other);
    }
    textures.give(part);
  }

  private draw(
    program: Program,
    args: readonly (Place | number)[],
    output: Dims,
    target: Grid,
    { count, work = 0 }: { count: number; work?: number },
  ): void {
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
        const [cols, rows, layers] = arg.dims;
        gl.uniform3i(dims, kind === 'texels' ? cols / LANES : cols, rows, layers);
      } else if (kind === 'int') gl.uniform1i(value, arg);
      else gl.uniform1f(value, arg);
    }
    gl.uniform3i(program.outputDims, ...output);
    gl.uniform2i(program.outputSize, target.width, target.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target.framebuffer);
    const height = Math.ceil(count / (LANES * target.width));
    gl.viewport(0, 0, target.width, height);
    this.drawParts(target.width, height, work);
  }

  /** A browser ends a page whose draw, or whose draws together, keep the device for seconds. Texels do not know of one another. */
  private drawParts(width: number, height: number, work: number): void {
    const { gl } = this.context;
    const parts = partsOf([width, height, 1], work, this.mostWork);
    if (parts.length > 1) gl.enable(gl.SCISSOR_TEST);
    for (const { first, groups } of parts) {
      if (parts.length > 1) gl.scissor(first[0], first[1], groups[0], groups[1]);
      this.makeRoom(work / parts.length);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
    if (parts.length > 1) gl.disable(gl.SCISSOR_TEST);
  }

  private makeRoom(work: number): void {
    if (this.work > 0 && this.work + work > this.mostWork) {
      this.context.gl.flush();
      this.work = 0;
    }
    this.work += work;
  }
}
