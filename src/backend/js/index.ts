import { dtypeOf, type FloatDType, type TypedData } from '../../core/dtype.js';
import { BackendError } from '../../core/errors.js';
import type { Backend, Buf, Kernels } from '../backend.js';
import type { CallLog } from '../trace.js';
import { attention, attentionGrad } from './attention.js';
import { accumulate, binary, copy, dropout, fill, unary, unaryGrad, where } from './elementwise.js';
import { gather, scatterAdd } from './embedding.js';
import { crossEntropy, crossEntropyGrad, crossEntropyInPlace } from './loss.js';
import { matmul } from './matmul.js';
import { dataOf, JsMemory } from './memory.js';
import { embeddingNorm, embeddingNormGrad, layerNorm, layerNormGrad, residualNorm, residualNormGrad } from './norm.js';
import { adamw, sumSquares } from './optimizer.js';
import { argmax, logSoftmax, logSoftmaxGrad, reduce, softmax, softmaxGrad } from './rows.js';
import { timed } from './timed.js';

const kernels: Kernels = {
  fill,
  copy,
  accumulate,
  unary,
  unaryGrad,
  binary,
  where,
  reduce,
  argmax,
  matmul,
  packedLength: () => 0,
  pack: () => {},
  unpack: () => {},
  softmax,
  softmaxGrad,
  logSoftmax,
  logSoftmaxGrad,
  layerNorm,
  layerNormGrad,
  crossEntropy,
  crossEntropyGrad,
  crossEntropyInPlace,
  residualNorm,
  residualNormGrad,
  embeddingNorm,
  embeddingNormGrad,
  gather,
  scatterAdd,
  dropout,
  attention,
  attentionGrad,
  sumSquares,
  adamw,
};

/**
 * The readable reference: every kernel as plain loops over typed arrays, run at once on the calling thread. The only
 * backend with f64, and the last resort where the addon cannot be built.
 * @param float element type of float tensors when none is named
 */
export function createJsBackend(float: FloatDType = 'f32'): Backend {
  const memory = new JsMemory();
  let running = kernels;
  let trace: CallLog | null = null;
  return {
    name: 'js',
    runsOn: 'plain JavaScript, 1 thread',
    float,
    multipliers: { bf16: null, int8: null },
    get kernels() {
      return running;
    },
    get trace() {
      return trace;
    },
    set trace(wanted) {
      trace = wanted;
      running = wanted === null ? kernels : timed(kernels, wanted);
    },
    get liveBytes() {
      return memory.liveBytes;
    },
    get peakBytes() {
      return memory.peakBytes;
    },
    alloc: (length, dtype) => memory.alloc(length, dtype),
    upload: (data) => memory.upload(data, dtypeOf(data)),
    write: (buf, data) => writeInto(buf, data),
    read: async (buf) => dataOf(buf).slice(),
    view: (buf, offset, length) => memory.view(buf, offset, length),
    free: (buf) => memory.free(buf),
    flush: async () => {},
  };
}

function writeInto(buf: Buf, data: TypedData): void {
  if (data.length !== buf.length) {
    throw new BackendError(`js: ${data.length} values written to a buffer of ${buf.length}`);
  }
  dataOf(buf).set(data);
}
