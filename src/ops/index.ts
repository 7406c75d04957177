import { argmax } from './argmax.js';
import { attention } from './attention.js';
import { concat } from './concat.js';
import { crossEntropy } from './cross-entropy.js';
import { dropout } from './dropout.js';
import * as elementwise from './elementwise.js';
import { gather } from './embedding.js';
import { embeddingNorm } from './embedding-norm.js';
import { expand } from './expand.js';
import { feedForward } from './feed-forward.js';
import { gelu, geluTanh } from './gelu.js';
import { layerNorm } from './layer-norm.js';
import { linear } from './linear.js';
import { linearCrossEntropy } from './linear-cross-entropy.js';
import { logSoftmax } from './log-softmax.js';
import { matmul } from './matmul.js';
import type { Op } from './op.js';
import { permute } from './permute.js';
import { max, mean, min, sum } from './reduce.js';
import { reshape } from './reshape.js';
import { residualNorm } from './residual-norm.js';
import { slice } from './slice.js';
import { softmax } from './softmax.js';
import { where } from './where.js';

/** For a list: an op forgets the type of its attributes, and whoever takes one from the list passes its own samples'. */
const listed = <A extends object>(op: Op<A>): Op => op as unknown as Op;

/** The one list of all ops. */
export const OPS: readonly Op[] = [
  ...Object.values(elementwise).map((op) => ('fn' in op ? listed(op) : op)),
  listed(gelu),
  listed(geluTanh),
  listed(sum),
  listed(mean),
  listed(max),
  listed(min),
  argmax,
  listed(matmul),
  linear,
  listed(feedForward),
  softmax,
  logSoftmax,
  listed(layerNorm),
  gather,
  listed(crossEntropy),
  listed(linearCrossEntropy),
  listed(dropout),
  listed(residualNorm),
  listed(embeddingNorm),
  listed(attention),
  listed(reshape),
  listed(permute),
  listed(slice),
  listed(concat),
  listed(expand),
  where,
];
