import { type RandomKey, seedWords } from '../../core/random.js';
import type { Buf, EmbeddingNormCall, ResidualNormCall, RowDropout } from '../backend.js';
import type { NativeMemory } from './memory.js';
import type { Queue } from './queue.js';

export const NO_DROPOUT = { rate: 0, key: { seed: 0, stream: 0, step: 0, row: 0 } } as const;
/** No id has this value. */
export const NONE = 2 ** 40;

/** What every kernel needs to become a command, and the kernels around LayerNorm. */
export class NormKernels {
  protected readonly at: (buf: Buf, count: number) => number;
  protected readonly ids: (buf: Buf, count: number) => number;

  constructor(
    memory: NativeMemory,
    protected readonly queue: Queue,
  ) {
    this.at = (buf, count) => memory.floats(buf, count);
    this.ids = (buf, count) => memory.ints(buf, count);
  }

  layerNorm(
    x: Buf,
    gamma: Buf,
    beta: Buf,
    y: Buf,
    mean: Buf,
    rstd: Buf,
    rows: number,
    cols: number,
    eps: number,
  ): void {
    const { at } = this;
    const n = rows * cols;
    const outputs = [at(y, n), at(mean, rows), at(rstd, rows)];
    this.queue.push('layerNorm', at(x, n), at(gamma, cols), at(beta, cols), ...outputs, rows, cols, eps);
  }

  layerNormGrad(
    x: Buf,
    gamma: Buf,
    mean: Buf,
    rstd: Buf,
    dY: Buf,
    dX: Buf,
    dGamma: Buf,
    dBeta: Buf,
    rows: number,
    cols: number,
  ): void {
    const { at } = this;
    const n = rows * cols;
    const inputs = [at(x, n), at(gamma, cols), at(mean, rows), at(rstd, rows), at(dY, n)];
    this.queue.push('layerNormGrad', ...inputs, at(dX, n), at(dGamma, cols), at(dBeta, cols), rows, cols);
  }

  residualNorm(call: ResidualNormCall, y: Buf, mean: Buf, rstd: Buf): void {
    const { rows, cols } = call;
    const outputs = [this.at(y, rows * cols), this.at(mean, rows), this.at(rstd, rows)];
    this.queue.push('residualNorm', ...this.residualWords(call), ...outputs);
  }

  residualNormGrad(
    call: ResidualNormCall,
    mean: Buf,
    rstd: Buf,
    dY: Buf,
    dX: Buf,
    dResidual: Buf,
    dGamma: Buf,
    dBeta: Buf,
  ): void {
    const { at } = this;
    const { rows, cols } = call;
    const n = rows * cols;
    const inputs = [at(mean, rows), at(rstd, rows), at(dY, n)];
    const outputs = [at(dX, n), at(dResidual, n), at(dGamma, cols), at(dBeta, cols)];
    this.queue.push('residualNormGrad', ...this.residualWords(call), ...inputs, ...outputs);
  }

  embeddingNorm(call: EmbeddingNormCall, y: Buf, mean: Buf, rstd: Buf): void {
    const { rows, cols } = call;
    const words = this.embeddingWords(call);
    this.queue.push('embeddingNorm', ...words, this.at(y, rows * cols), this.at(mean, rows), this.at(rstd, rows));
  }

  embeddingNormGrad(call: EmbeddingNormCall, mean: Buf, rstd: Buf, dY: Buf, dSum: Buf, dGamma: Buf, dBeta: Buf): void {
    const { at } = this;
    const { rows, cols } = call;
    const words = this.embeddingWords(call);
    const inputs = [at(mean, rows), at(rstd, rows), at(dY, rows * cols)];
    const outputs = [at(dSum, rows * cols), at(dGamma, cols), at(dBeta, cols)];
    this.queue.push('embeddingNormGrad', ...words, ...inputs, ...outputs);
  }

  /** Ids that are checked where they are: below `limit`, or `other`. They may be the result of a kernel. */
  protected checkedIds(ids: Buf, count: number, limit: number, other: number): number {
    const at = this.ids(ids, count);
    this.queue.push('checkIds', at, count, limit, other);
    return at;
  }

  /** The numbers of a kernel that draws random words. */
  protected keyWords({ seed, stream, step, row }: RandomKey): readonly number[] {
    return [...seedWords(seed), stream >>> 0, this.queue.live('step', step >>> 0), row];
  }

  private residualWords({ x, residual, gamma, beta, rows, cols, eps, dropout }: ResidualNormCall): readonly number[] {
    const { at } = this;
    const n = rows * cols;
    const places = [at(x, n), at(residual, n), at(gamma, cols), at(beta, cols)];
    return [...places, rows, cols, eps, ...this.dropoutWords(dropout, rows)];
  }

  /** Stands behind the commands that check its ids. */
  private embeddingWords(call: EmbeddingNormCall): readonly number[] {
    const { at } = this;
    const { tables, rows, cols, eps } = call;
    const ids = call.ids.map((list, i) => {
      return this.checkedIds(list, rows, cols === 0 ? NONE : Math.floor(tables[i].length / cols), NONE);
    });
    const places = [...tables.map((table) => at(table, 0)), ...ids, at(call.gamma, cols), at(call.beta, cols)];
    return [...places, rows, cols, eps, ...this.dropoutWords(call.dropout, rows)];
  }

  private dropoutWords(dropout: RowDropout | null, count: number): readonly number[] {
    if (dropout === null) return [NO_DROPOUT.rate, ...this.keyWords(NO_DROPOUT.key), 0, 0];
    const { rate, key, rows } = dropout;
    return [rate, ...this.keyWords(key), ...(rows === null ? [0, 0] : [1, this.ids(rows, count)])];
  }
}
