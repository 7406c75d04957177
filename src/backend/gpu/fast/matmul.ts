import { BackendError } from '../../../core/errors.js';
import type { Buf, MatmulCall } from '../../backend.js';
import { sumRows } from '../kernels/matmul.js';
import { withScratch } from '../kernels/scratch.js';
import { type FastKernel, line, Memo, type Operand } from '../spec.js';
import type { MatmulForm } from './matmul-form.js';
import { matmulKernel } from './matmul-shader.js';
import { reduce } from './reduce.js';
import { type FastRunner, foldThreads, inFours, LINE_MAIN, MOST_GROUPS } from './runner.js';
import type { Tile } from './tiles.js';

/** A product of few elements and many summands is cut along k; the parts are added afterwards. By the shape alone. */
const LONG = 512;
const ENOUGH_GROUPS = 264;
const MOST_PARTS = 16;
/** What the slices of k of all tiles divide. */
const SLICES = 32;

/** Chooses how a product is cut up; any choice gives the same bits. */
export type TileOf = (call: MatmulCall) => Tile;

/** Parts of k, each a multiple of 64. Weight gradients alone: their rows are not those of a batch. */
export function partsOf({ m, n, k, batch, transposeA, epilogue }: MatmulCall): number {
  if (!transposeA || batch !== 1 || (epilogue !== undefined && epilogue.kind !== 'add')) return 1;
  const tiles = Math.ceil(m / 64) * Math.ceil(n / 64);
  return Math.max(1, Math.min(MOST_PARTS, Math.floor(k / LONG), Math.ceil(ENOUGH_GROUPS / tiles)));
}

function formOf(runner: FastRunner, tile: Tile, call: MatmulCall, split: boolean): MatmulForm {
  const { a, b, y, bias, m, n, k, transposeA, transposeB, strideA, strideB, epilogue } = call;
  const activate = epilogue?.kind === 'activate' ? epilogue : null;
  const slope = epilogue?.kind === 'slope' ? epilogue : null;
  return {
    tile,
    transposeA,
    transposeB,
    vectorA: inFours(runner, transposeA ? m : k, a) && strideA % 4 === 0,
    vectorB: inFours(runner, transposeB ? k : n, b) && strideB % 4 === 0,
    vectorY: inFours(runner, n, y, bias, activate?.pre, slope?.x),
    wholeK: k % SLICES === 0,
    split,
    bias: bias !== undefined,
    end: epilogue?.kind ?? 'store',
    pre: activate?.pre !== undefined,
    fn: (activate ?? slope)?.fn.name ?? '',
  };
}

/** One launch, of `parts` products of a part of k each. */
function launch(runner: FastRunner, form: MatmulForm, call: MatmulCall, y: Buf, parts: number): void {
  const { a, b, bias, m, n, k, batch, strideA, strideB, epilogue } = call;
  const { bm, bn } = form.tile;
  const args: (Operand | number)[] = [line(a), line(b)];
  const outputs = [line(y)];
  if (form.bias && bias !== undefined) args.push(line(bias));
  if (epilogue?.kind === 'slope') args.push(line(epilogue.x));
  if (epilogue?.kind === 'activate' && epilogue.pre !== undefined) outputs.push(line(epilogue.pre));
  const part = parts === 1 ? k : Math.ceil(k / parts / 64) * 64;
  args.push(m, n, k, strideA, strideB, parts, part);
  const groups = [Math.ceil(n / bn), Math.ceil(m / bm), batch * parts] as const;
  if (groups.some((count) => count > MOST_GROUPS)) throw tooMany(call);
  runner.launch(matmulKernel(form), args, outputs, groups, 2 * m * n * k * batch);
}

const tooMany = ({ m, n, batch }: MatmulCall): BackendError =>
  new BackendError(`gpu: a product of ${batch} x ${m} x ${n} elements has more tiles than one launch`, {
    code: 'BACKEND-GPU-LIMIT',
    fix: 'use a smaller batch',
  });

/** y (+)= bias + the parts, in their order; `count` and `n` in elements of the arrays. */
const addParts = (name: string, of: 'vec4' | 'f32', bias: boolean, add: boolean): FastKernel => ({
  name,
  params: { sums: of, ...(bias ? { bias: of } : {}), parts: 'int', count: 'int', n: 'int' } as FastKernel['params'],
  outputs: { y: of },
  wgsl: `${LINE_MAIN}
  var t = ${bias ? 'bias_at(i % params.n)' : `${of === 'f32' ? 'f32' : 'vec4<f32>'}()`};
  for (var p = 0u; p < params.parts; p++) { t += sums_at(p * params.count + i); }
  set_y(i, ${add ? 't + y_at(i)' : 't'});
}`,
});

const kernels = new Memo<FastKernel>();

function partsKernel(of: 'vec4' | 'f32', bias: boolean, add: boolean): FastKernel {
  const name = `matmul parts ${of}${bias ? ' bias' : ''}${add ? ' add' : ''}`;
  return kernels.get([name], () => addParts(name, of, bias, add));
}

/** The product and its epilogue, cut up in one way. */
export function product(runner: FastRunner, tile: Tile, call: MatmulCall): void {
  const { y, bias, m, n, epilogue } = call;
  const parts = partsOf(call);
  const form = formOf(runner, tile, call, parts > 1);
  if (parts === 1) launch(runner, form, call, y, 1);
  else {
    withScratch(runner, [parts * m * n], ([sums]) => {
      launch(runner, { ...form, vectorY: n % 4 === 0, bias: false, end: 'store' }, call, sums, parts);
      const width = form.vectorY ? 4 : 1;
      const [count, columns] = [(m * n) / width, n / width];
      const args = [line(sums), ...(bias === undefined ? [] : [line(bias)]), parts, count, columns];
      const kernel = partsKernel(form.vectorY ? 'vec4' : 'f32', bias !== undefined, epilogue?.kind === 'add');
      runner.launch(kernel, args, [line(y)], foldThreads(count));
    });
  }
}

export function matmul(runner: FastRunner, tileOf: TileOf, call: MatmulCall): void {
  if (call.m * call.n * call.batch > 0) product(runner, tileOf(call), call);
  sumRows(runner, reduce, call);
}
