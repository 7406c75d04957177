import type { Buf, Moment } from '../backend/backend.js';
import type { Module } from '../nn/module.js';
import { ParameterArena, type Run } from './arena.js';

/**
 * Which AdamW: `standard` is Loshchilov and Hutter 2019 (arXiv:1711.05101, alg. 2) with Kingma and Ba's bias
 * correction; `bert` leaves the correction out, as google-research/bert optimization.py:131 does. Few-sample
 * fine-tuning wants `standard` (Zhang et al. 2021, arXiv:2006.05987).
 */
export type AdamWForm = 'standard' | 'bert';

export interface AdamWOptions {
  readonly form: AdamWForm;
  readonly beta1: number;
  readonly beta2: number;
  /** Outside the root. */
  readonly eps: number;
  readonly weightDecay: number;
  /** Global norm to which gradients are clipped; Infinity: never. */
  readonly maxNorm: number;
}

/** BERT's own values (optimization.py:26, 74). */
export const ADAMW_DEFAULTS: AdamWOptions = {
  form: 'standard',
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-6,
  weightDecay: 0.01,
  maxNorm: 1,
};

/** Biases and LayerNorm parameters are not decayed (optimization.py:65). */
export const decays = (name: string): boolean => !/(^|\.)bias$|(^|\.)norm\./.test(name);

/** AdamW over a model's flat arena, with clipping by the global norm folded in. */
export class AdamW {
  readonly arena: ParameterArena;
  readonly options: AdamWOptions;
  /** Updates made so far; a step that was skipped for non-finite gradients does not count. */
  updates = 0;
  private readonly sumSquares: Buf;
  private readonly runs: readonly Run[];

  /**
   * Frozen parameters, without requiresGrad, have no place in it.
   * @param rateOf what the learning rate of a parameter is multiplied by: smaller in lower layers, for example
   */
  constructor(model: Module, options: Partial<AdamWOptions> = {}, rateOf: (name: string) => number = () => 1) {
    this.options = { ...ADAMW_DEFAULTS, ...options };
    const named = new Map([...model.namedParameters()].filter(([, parameter]) => parameter.requiresGrad));
    const [first] = named.values();
    if (first === undefined) throw new Error('AdamW: the model has no parameters');
    this.arena = new ParameterArena(first.backend, named, decays);
    this.sumSquares = first.backend.alloc(1, first.backend.float);
    this.runs = this.arena.runs(rateOf);
  }

  clearGradients(): void {
    this.arena.clearGradients();
  }

  /**
   * Enqueues one update and waits for it. Parameters and moments stay as they are when the gradient is not finite.
   * @param lr learning rate of this step
   * @returns the gradients' global norm before clipping
   */
  async step(lr: number): Promise<number> {
    this.enqueue(this.rates(lr));
    return this.finish();
  }

  /** The numbers of the next update that no update before it had. */
  rates(lr: number): Omit<Moment, 'step'> {
    const { beta1, beta2, form } = this.options;
    const t = this.updates + 1;
    const correction1 = form === 'standard' ? 1 / (1 - beta1 ** t) : 1;
    const correction2 = form === 'standard' ? 1 / (1 - beta2 ** t) : 1;
    return { lr, correction1, correction2 };
  }

  /** The kernels of one update: the norm, then each run of parameters that are updated alike. */
  enqueue(rates: Omit<Moment, 'step'>): void {
    const { backend, grads } = this.arena;
    const outside = backend.trace?.enter('optimizer');
    this.arena.settleGradients();
    backend.kernels.sumSquares(grads, this.sumSquares);
    for (const { offset, length, decayed, rate } of this.runs) {
      this.update(offset, length, {
        ...rates,
        lr: rate * rates.lr,
        weightDecay: decayed ? this.options.weightDecay : 0,
      });
    }
    if (outside !== undefined) backend.trace?.leave(outside);
  }

  /** Waits for the update, and counts it if there was one. @returns as `step` */
  async finish(): Promise<number> {
    const norm = Math.sqrt((await this.arena.backend.read(this.sumSquares))[0] as number);
    if (Number.isFinite(norm)) this.updates++;
    return norm;
  }

  private update(
    offset: number,
    length: number,
    rates: { lr: number; weightDecay: number; correction1: number; correction2: number },
  ): void {
    const { backend, params, grads, firstMoments, secondMoments } = this.arena;
    const windows = [params, grads, firstMoments, secondMoments].map((buf) => backend.view(buf, offset, length));
    const [param, grad, m, v] = windows as [Buf, Buf, Buf, Buf];
    const { beta1, beta2, eps, maxNorm } = this.options;
    backend.kernels.adamw({
      param,
      grad,
      m,
      v,
      sumSquares: this.sumSquares,
      gradScale: 1,
      maxNorm,
      beta1,
      beta2,
      eps,
      ...rates,
    });
    for (const window of windows) backend.free(window);
  }

  dispose(): void {
    this.arena.backend.free(this.sumSquares);
    this.arena.dispose();
  }
}
