import type { UnaryFn } from '../backend/backend.js';
import { numel } from '../core/shape.js';
import { takes } from './check.js';
import type { Arg, BackwardCtx, ComposeCtx, GradOp, Op, OpDoc, Workload } from './op.js';
import { bytesOf } from './reduction.js';
import { rowsWorkload, type UnarySampling, unaryBadSamples, unarySamples } from './samples.js';

/** The constant of an elementwise function; 0 where it has none. */
export interface UnaryAttrs {
  readonly c: number;
}

/** A function of single elements: its value, its derivative, and the values it is tested on. */
export interface UnaryRow extends UnaryFn {
  readonly doc: OpDoc;
  readonly samples: UnarySampling;
  readonly compose?: (ctx: ComposeCtx<UnaryAttrs>) => Arg;
  /** Absent: dOut times the slope, by a kernel. */
  readonly backward?: (ctx: BackwardCtx<UnaryAttrs>) => readonly Arg[];
  /** Where a BERT meets it; default: hidden states. */
  readonly bert?: Workload<UnaryAttrs>['bert'];
}

const slopeOf = (fn: UnaryFn): GradOp<UnaryAttrs> => ({
  name: `${fn.name}Grad`,
  shapes: ([x]) => [x],
  forward: ({ kernels }, [x, y, dY], [dX], { c }) => kernels.unaryGrad(fn, x.buf, y.buf, dY.buf, dX.buf, c),
});

export interface UnaryOp extends Op<UnaryAttrs> {
  /** What kernels are given: for ops that need this function on the way. */
  readonly fn: UnaryFn;
}

/** The op of one row of a table: y = f(x), dX = dOut f'(x), element by element. */
export function unaryOp(row: UnaryRow): UnaryOp {
  const slope = slopeOf(row);
  return {
    name: row.name,
    fn: row,
    doc: row.doc,
    shape: (inputs) => {
      takes(row.name, inputs, 1);
      return inputs[0];
    },
    cost: ([x]) => ({ flops: numel(x), bytes: bytesOf(x, x) }),
    forward: ({ kernels }, [x], y, { c }) => kernels.unary(row, x.buf, y.buf, c),
    backward: row.backward ?? (({ inputs: [x], out, dOut, attrs, runGrad }) => runGrad(slope, [x, out, dOut], attrs)),
    ...(row.compose === undefined ? {} : { compose: row.compose }),
    get samples() {
      return unarySamples(row.samples);
    },
    workload: rowsWorkload(
      { c: row.samples.c?.[0] ?? 0 },
      (...shape) => [{ shape, range: row.samples.range ?? [-2, 2] }],
      row.bert,
    ),
    get badSamples() {
      return unaryBadSamples;
    },
  };
}
