import type { Moment } from '../backend.js';
import type { Compiled } from './compile.js';
import { type LiveWord, type Params, SLICE } from './params.js';
import type { Slab } from './pool.js';
import type { Dims } from './spec.js';

/** A batch goes to the device by itself when it has so many launches, so that it starts while more are enqueued. */
export const LONGEST = 256;

/** One launch, ready to be encoded. */
interface Launch {
  readonly kernel: Compiled;
  readonly group: GPUBindGroup;
  readonly groups: Dims;
}

/** A copy between buffers, at its place among the launches. */
export interface Copy {
  readonly from: GPUBuffer;
  readonly fromByte: number;
  readonly to: GPUBuffer;
  readonly toByte: number;
  readonly bytes: number;
}

/** Where the parameters of each launch begin, as `setBindGroup` takes them. */
const OFFSETS = Uint32Array.from({ length: LONGEST }, (_, i) => i * SLICE);

/** Commands that go to the device together, with the parameters of all launches in one buffer. */
export class Batch {
  id = 0;
  readonly params = new ArrayBuffer(LONGEST * SLICE);
  private readonly words = new Uint32Array(this.params);
  private readonly floats = new Float32Array(this.params);
  private commands: (Launch | Copy)[] = [];
  /** Kernels that are being compiled. */
  readonly waitFor = new Set<Promise<void>>();
  /** Of a recording alone: numbers that are put in before each run, and slabs that it writes to. */
  readonly live: LiveWord[] = [];
  readonly written = new Set<Slab>();
  launches = 0;
  /** Arithmetic of all launches, as far as it is known. */
  work = 0;

  begin(id: number): this {
    this.id = id;
    this.commands = [];
    this.waitFor.clear();
    this.launches = 0;
    this.work = 0;
    return this;
  }

  get isEmpty(): boolean {
    return this.commands.length === 0;
  }

  copy(copy: Copy): void {
    this.commands.push(copy);
  }

  launch(kernel: Compiled, group: GPUBindGroup, groups: Dims, params: Params): void {
    const at = (this.launches * SLICE) / 4;
    this.words.set(params.words, at);
    for (const { word, float, name } of params.live) this.live.push({ word: at + word, float, name });
    if (kernel.pipeline === null) this.waitFor.add(kernel.ready);
    this.commands.push({ kernel, group, groups });
    this.launches++;
  }

  /** Puts the numbers of a moment into their places. */
  settle(moment: Moment): void {
    for (const { word, float, name } of this.live) {
      if (float) this.floats[word] = moment[name];
      else this.words[word] = moment[name];
    }
  }

  /** One command buffer of all of it. */
  encode(gpu: GPUDevice): GPUCommandBuffer {
    const encoder = gpu.createCommandEncoder();
    let pass: GPUComputePassEncoder | null = null;
    let pipeline: GPUComputePipeline | null = null;
    let launched = 0;
    for (const command of this.commands) {
      if ('kernel' in command) {
        if (pass === null) [pass, pipeline] = [encoder.beginComputePass(), null];
        if (command.kernel.pipeline !== pipeline) {
          pipeline = command.kernel.pipeline;
          pass.setPipeline(pipeline as GPUComputePipeline);
        }
        pass.setBindGroup(0, command.group, OFFSETS, launched++, 1);
        const [x, y, z] = command.groups;
        pass.dispatchWorkgroups(x, y, z);
      } else {
        pass?.end();
        pass = null;
        encoder.copyBufferToBuffer(command.from, command.fromByte, command.to, command.toByte, command.bytes);
      }
    }
    pass?.end();
    return encoder.finish();
  }
}
