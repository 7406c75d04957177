// Kernels whose work is known, so that they can be cut into parts.
import type { Backend, Buf } from '../../src/backend/backend.js';

const wave = (length: number, by: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * by));

/** A product, and its gradient's shape: [m, n] and [k, n]. */
function products({ kernels, upload, alloc }: Pick<Backend, 'kernels' | 'upload' | 'alloc'>, sizes: number[]): Buf[] {
  const [m, n, k, batch] = sizes;
  const [x, w] = [upload(wave(batch * m * k, 1)), upload(wave(batch * k * n, 2))];
  const [y, dW] = [alloc(batch * m * n, 'f32'), alloc(batch * k * n, 'f32')];
  const of = (a: Buf, b: Buf, out: Buf, p: number, q: number): void => {
    const strides = { batch, strideA: batch === 1 ? 0 : m * k, strideB: batch === 1 ? 0 : b.length / batch };
    kernels.matmul({
      ...strides,
      a,
      b,
      y: out,
      m: p,
      n,
      k: q,
      transposeA: a === x && out === dW,
      transposeB: out === y,
    });
  };
  of(x, w, y, m, k);
  of(x, y, dW, k, m);
  return [y, dW];
}

function attention({ kernels, upload, alloc }: Pick<Backend, 'kernels' | 'upload' | 'alloc'>): Buf[] {
  const [rows, heads, headDim] = [90, 2, 8];
  const [q, v] = [upload(wave(rows * 16, 3)), upload(wave(rows * 16, 4))];
  const [out, lse] = [alloc(rows * 16, 'f32'), alloc(rows * 2, 'f32')];
  const [offsets, keyBias] = [upload(Int32Array.of(0, 70, rows)), upload(new Float32Array(rows))];
  const call = {
    rows,
    queryRows: rows,
    sequences: 2,
    heads,
    headDim,
    maxSeq: 70,
    scale: 0.3,
    q,
    k: v,
    v,
    keyBias,
    offsets,
  };
  const whole = { ...call, queries: null, dropout: null };
  kernels.attention(whole, out, lse);
  const grads = [alloc(rows * 16, 'f32'), alloc(rows * 16, 'f32'), alloc(rows * 16, 'f32')] as const;
  kernels.attentionGrad(whole, out, lse, q, ...grads);
  const table = upload(wave(200 * 16, 5));
  kernels.scatterAdd(upload(Int32Array.from({ length: rows }, (_, i) => (i * 7) % 200)), out, table, rows, 16, 200);
  return [out, lse, ...grads, table];
}

/** Products of odd sizes, of sizes that divide by 4, and of a batch; attention and its gradient; a table's gradient. */
export async function longWork(b: Backend): Promise<unknown[]> {
  const backend = { kernels: b.kernels, upload: b.upload.bind(b), alloc: b.alloc.bind(b) };
  const sizes = [
    [150, 130, 70, 1],
    [148, 132, 72, 1],
    [64, 32, 40, 3],
  ];
  const bufs = [...sizes.flatMap((each) => products(backend, each)), ...attention(backend)];
  return Promise.all(bufs.map((buf) => b.read(buf)));
}
