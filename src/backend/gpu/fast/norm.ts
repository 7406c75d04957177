import type { Buf, ResidualNormCall } from '../../backend.js';
import { withScratch } from '../kernels/scratch.js';
import { type FastKernel, line, Memo } from '../spec.js';
import { KEY_PARAMS, keyNumbers } from './dropout.js';
import { PHILOX } from './philox.js';
import { reduce } from './reduce.js';
import { type FastRunner, fold, rowMain, threadsFor, total } from './runner.js';

const kernels = new Memo<FastKernel>();

/** Where the row that is normalised comes from. */
interface Source {
  readonly residual: boolean;
  readonly dropout: boolean;
  /** Whether rows of random numbers are named, or follow one another. */
  readonly places: boolean;
}
const PLAIN: Source = { residual: false, dropout: false, places: false };

const sourceName = ({ residual, dropout, places }: Source): string =>
  `${residual ? ' residual' : ''}${dropout ? ' dropout' : ''}${places ? ' places' : ''}`;
const sourceParams = ({ residual, places }: Source): FastKernel['params'] => ({
  x: 'f32',
  ...(residual ? { residual: 'f32' } : {}),
  ...(places ? { places: 'i32' } : {}),
});
const sourceNumbers = ({ dropout }: Source): FastKernel['params'] => (dropout ? KEY_PARAMS : {});

/** What dropout multiplies element `col` with, the i-th of its thread's eight. */
const keepOf = (dropout: boolean): string =>
  dropout ? 'select(0.0, params.scale, random_number(words, i) >= params.threshold)' : '1.0';

/** Visits every column of a row, with dropout in the groups that one Philox block serves: lane + 0, 16 ... of 128. */
const visit = (threads: number, { dropout, places }: Source, body: string): string =>
  !dropout
    ? `for (var col = t; col < params.cols; col += ${threads}u) { ${body} }`
    : `{
  let blocks = (params.cols + 127u) / 128u;
  for (var u = t; u < blocks * 16u; u += ${threads}u) {
    let part = u / 16u; let lane = u % 16u;
    let words = random_words(params.firstRow + ${places ? 'u32(places_at(row))' : 'row'}, part, lane, blocks,
      params.step, params.stream, params.key0, params.key1);
    for (var i = 0u; i < 8u; i++) {
      let col = part * 128u + i * 16u + lane;
      if (col < params.cols) { ${body} }
    }
  }
  }`;

/** Fills the row's copy in workgroup memory. */
const fill = (threads: number, source: Source): string =>
  visit(
    threads,
    source,
    `let at = row * params.cols + col;
      row_copy[col] = x_at(at) * ${keepOf(source.dropout)}${source.residual ? ' + residual_at(at)' : ''};`,
  );

const prelude = (threads: number, cols: number, source: Source): string =>
  `${source.dropout ? PHILOX : ''}${total(threads)}
var<workgroup> row_copy : array<f32, ${cols}>;`;

const forwardKernel = (threads: number, cols: number, source: Source): FastKernel => {
  const name = `layerNorm ${threads} ${cols}${sourceName(source)}`;
  return kernels.get([name], () => ({
    name,
    params: {
      ...sourceParams(source),
      ...({ gamma: 'f32', beta: 'f32', rows: 'int', cols: 'int', eps: 'float' } as const),
      ...sourceNumbers(source),
    },
    outputs: { y: 'f32', mean: 'f32', rstd: 'f32' },
    wgsl: `${prelude(threads, cols, source)}${rowMain(threads)}
  ${fill(threads, source)}
  workgroupBarrier();
  let n = f32(params.cols);
  var sum = 0.0;
  for (var c = t; c < params.cols; c += ${threads}u) { sum += row_copy[c]; }
  let m = total(t, sum) / n;
  var squares = 0.0;
  for (var c = t; c < params.cols; c += ${threads}u) { let d = row_copy[c] - m; squares += d * d; }
  let r = 1.0 / sqrt(total(t, squares) / n + params.eps);
  for (var c = t; c < params.cols; c += ${threads}u) {
    set_y(row * params.cols + c, (row_copy[c] - m) * r * gamma_at(c) + beta_at(c));
  }
  if (t == 0u) { set_mean(row, m); set_rstd(row, r); }
}`,
  }));
};

/** Rows that one workgroup takes, whose sums for dGamma and dBeta stay in its threads. */
const CHUNK = 16;

/** What a row adds to the sums of its thread's columns, and its own two sums. */
const rowSums = (threads: number, count: number): string => `
    let m = mean_at(row); let r = rstd_at(row);
    var sum = 0.0; var sum_hat = 0.0;
    for (var j = 0u; j < ${count}u; j++) {
      let c = j * ${threads}u + t;
      if (c < params.cols) {
        let hat = (row_copy[c] - m) * r;
        let d = dY_at(row * params.cols + c);
        scaled[j] += d * hat; shifted[j] += d;
        sum += d * gamma_at(c); sum_hat += d * gamma_at(c) * hat;
      }
    }
    sum = total(t, sum); sum_hat = total(t, sum_hat);`;

/** dX = r (g - mean(g) - xHat mean(g xHat)) in the place of the row's copy. */
const rowGradient = (threads: number): string => `
    for (var c = t; c < params.cols; c += ${threads}u) {
      let hat = (row_copy[c] - m) * r;
      row_copy[c] = r * (dY_at(row * params.cols + c) * gamma_at(c) - sum / n - hat * sum_hat / n);
    }`;

/**
 * A workgroup takes CHUNK rows one after the other. Thread t owns columns t, t + threads, ... and sums dY xHat and dY of
 * them; `sums` is [2, chunks, cols].
 */
const backwardText = (threads: number, cols: number, source: Source, count: number): string => `
${prelude(threads, cols, source)}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wid : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>,
        @builtin(local_invocation_index) t : u32) {
  let chunk = wid.x + wid.y * groups.x;
  if (chunk >= params.rows) { return; }
  let n = f32(params.cols);
  var scaled = array<f32, ${count}>();
  var shifted = array<f32, ${count}>();
  for (var row = chunk * ${CHUNK}u; row < min(params.all, (chunk + 1u) * ${CHUNK}u); row++) {
    workgroupBarrier();
    ${fill(threads, source)}
    workgroupBarrier();${rowSums(threads, count)}${rowGradient(threads)}
    workgroupBarrier();
    ${leave(threads, source)}
  }
  for (var j = 0u; j < ${count}u; j++) {
    let c = j * ${threads}u + t;
    if (c < params.cols) {
      set_sums(chunk * params.cols + c, scaled[j]);
      set_sums((params.rows + chunk) * params.cols + c, shifted[j]);
    }
  }
}`;

const backwardKernel = (threads: number, cols: number, source: Source): FastKernel => {
  const name = `layerNormGrad ${threads} ${cols}${sourceName(source)}`;
  return kernels.get([name], () => ({
    name,
    params: {
      ...sourceParams(source),
      ...({ gamma: 'f32', mean: 'f32', rstd: 'f32', dY: 'f32', rows: 'int', cols: 'int', all: 'int' } as const),
      ...sourceNumbers(source),
    },
    outputs: { dX: 'f32', sums: 'f32', ...(source.residual ? { dResidual: 'f32' } : {}) } as FastKernel['outputs'],
    wgsl: backwardText(threads, cols, source, Math.ceil(cols / threads)),
  }));
};

/** The gradient of the row: to the residual as it is, to x through dropout. */
const leave = (threads: number, source: Source): string =>
  visit(
    threads,
    source,
    `let at = row * params.cols + col;
      ${source.residual ? 'set_dResidual(at, row_copy[col]);' : ''}
      set_dX(at, row_copy[col] * ${keepOf(source.dropout)});`,
  );

/** Whether a row fits into workgroup memory beside what `total` needs. */
export const rowFits = ({ limits }: FastRunner, cols: number): boolean =>
  cols > 0 && 4 * (cols + 256) <= limits.workgroupMemory;

/** Buffers of the fused gradient: all inputs and results of residualNormGrad. */
export const bindingsFit = ({ limits }: FastRunner): boolean => limits.bindings >= 10;

interface Norm {
  readonly gamma: Buf;
  readonly rows: number;
  readonly cols: number;
}

export function layerNorm(
  runner: FastRunner,
  [x, gamma, beta]: readonly [Buf, Buf, Buf],
  [y, mean, rstd]: readonly [Buf, Buf, Buf],
  { rows, cols, eps }: { rows: number; cols: number; eps: number },
): void {
  const args = [line(x), line(gamma), line(beta), rows, cols, eps];
  const outputs = [line(y), line(mean), line(rstd)];
  runner.launch(forwardKernel(threadsFor(runner, cols), cols, PLAIN), args, outputs, fold(rows));
}

/** dGamma and dBeta are the sums of what the chunks left. */
function backward(
  runner: FastRunner,
  { rows, cols }: Norm,
  [dGamma, dBeta]: readonly [Buf, Buf],
  launch: (sums: Buf, chunks: number) => void,
): void {
  const chunks = Math.ceil(rows / CHUNK);
  withScratch(runner, [2 * chunks * cols], ([sums]) => {
    launch(sums, chunks);
    for (const [i, out] of [dGamma, dBeta].entries()) {
      runner.window(sums, i * chunks * cols, chunks * cols, (part) =>
        reduce(runner, 'sum', part, out, 1, chunks, cols),
      );
    }
  });
}

export function layerNormGrad(
  runner: FastRunner,
  [x, gamma, mean, rstd, dY]: readonly [Buf, Buf, Buf, Buf, Buf],
  [dX, dGamma, dBeta]: readonly [Buf, Buf, Buf],
  rows: number,
  cols: number,
): void {
  backward(runner, { gamma, rows, cols }, [dGamma, dBeta], (sums, chunks) => {
    const args = [line(x), line(gamma), line(mean), line(rstd), line(dY), chunks, cols, rows];
    const outputs = [line(dX), line(sums)];
    runner.launch(backwardKernel(threadsFor(runner, cols), cols, PLAIN), args, outputs, fold(chunks));
  });
}

const sourceOf = ({ dropout }: ResidualNormCall): Source => ({
  residual: true,
  dropout: dropout !== null,
  places: dropout !== null && dropout.rows !== null,
});

/** The inputs of the sum, in the order of `sourceParams`, and the numbers of its dropout. */
function sourceArgs(runner: FastRunner, { x, residual, dropout }: ResidualNormCall) {
  const places = dropout === null || dropout.rows === null ? [] : [line(dropout.rows)];
  return {
    arrays: [line(x), line(residual), ...places],
    numbers: dropout === null ? [] : keyNumbers(runner, dropout.rate, dropout.key),
  };
}

export function residualNorm(runner: FastRunner, call: ResidualNormCall, y: Buf, mean: Buf, rstd: Buf): void {
  const { gamma, beta, rows, cols, eps } = call;
  const { arrays, numbers } = sourceArgs(runner, call);
  const kernel = forwardKernel(threadsFor(runner, cols), cols, sourceOf(call));
  const args = [...arrays, line(gamma), line(beta), rows, cols, eps, ...numbers];
  runner.launch(kernel, args, [line(y), line(mean), line(rstd)], fold(rows));
}

export function residualNormGrad(
  runner: FastRunner,
  call: ResidualNormCall,
  [mean, rstd, dY]: readonly [Buf, Buf, Buf],
  [dX, dResidual, dGamma, dBeta]: readonly [Buf, Buf, Buf, Buf],
): void {
  const { gamma, rows, cols } = call;
  const { arrays, numbers } = sourceArgs(runner, call);
  backward(runner, call, [dGamma, dBeta], (sums, chunks) => {
    const kernel = backwardKernel(threadsFor(runner, cols), cols, sourceOf(call));
    const args = [...arrays, line(gamma), line(mean), line(rstd), line(dY), chunks, cols, rows, ...numbers];
    runner.launch(kernel, args, [line(dX), line(sums), line(dResidual)], fold(chunks));
  });
}
