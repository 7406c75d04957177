// Matrix products at BERT's shapes through the library, as GFLOP/s and as a share of the peak measured in the same
// round. nn = X W (forward), nt = dY W^T, tn = X^T dY (weight gradient).
//   node bench/matmul.mjs [--threads 1,2] [--shapes 512x768x768,...] [--isa avx2] [--rounds 3] [--seconds 0.1] [--json file]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { median, nativeBackend, secondsOf } from './measure.mjs';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2,1' },
    // rows x inner size x columns: small, mini and base layers, and the masked places times the vocabulary
    shapes: {
      type: 'string',
      default:
        '512x768x768,128x128x128,4096x128x128,512x256x256,4096x256x1024,2048x512x128,128x768x768,4096x768x768,640x256x30522',
    },
    isa: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '0.1' },
    json: { type: 'string' },
  },
});

/** One product, set up so that `run` computes it `times` times: a queue of some milliseconds. */
function prepare(backend, [m, k, n], layout) {
  const [a, b, y] = [m * k, k * n, m * n].map((length) => backend.alloc(length, 'f32'));
  backend.kernels.fill(a, 0.5);
  backend.kernels.fill(b, 0.25);
  const flops = 2 * m * k * n;
  const times = Math.ceil(5e8 / flops);
  const [transposeA, transposeB] = [layout === 'tn', layout === 'nt'];
  const call = { a, b, y, m, n, k, transposeA, transposeB, batch: 1, strideA: 0, strideB: 0 };
  const run = () => {
    for (let i = 0; i < times; i++) backend.kernels.matmul(call);
    return backend.flush();
  };
  const free = () => [a, b, y].forEach((buf) => void backend.free(buf));
  return { flops: flops * times, run, free };
}

async function measure(backend, shape, layout) {
  const product = prepare(backend, shape, layout);
  await product.run();
  const seconds = await secondsOf(`${shape} ${layout}`, product.run, Number(values.seconds));
  product.free();
  return product.flops / seconds / 1e9;
}

const shapes = values.shapes.split(',').map((shape) => shape.split('x').map(Number));
const results = [];
for (const threads of values.threads.split(',').map(Number)) {
  const backend = nativeBackend(threads, values.isa);
  const cases = shapes.flatMap((shape) =>
    ['nn', 'nt', 'tn'].map((layout) => ({ shape, layout, rates: [], shares: [] })),
  );
  const peaks = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const shape of shapes) {
      const peak = backend.fmaPeak(threads);
      peaks.push(peak);
      for (const one of cases.filter((c) => c.shape === shape)) {
        const rate = await measure(backend, shape, one.layout);
        one.rates.push(rate);
        one.shares.push(rate / peak);
      }
    }
  }
  console.log(`${backend.runsOn}: peak ${median(peaks).toFixed(0)} GFLOP/s; GFLOP/s and share of the peak`);
  for (const shape of shapes) {
    const columns = cases
      .filter((c) => c.shape === shape)
      .map(({ layout, rates, shares }) => {
        results.push({ threads, isa: backend.isa, shape, layout, gflops: median(rates), share: median(shares) });
        return `${layout} ${median(rates).toFixed(0).padStart(4)} ${median(shares).toFixed(2)}`;
      });
    console.log(`  ${shape.join(' x ').padEnd(20)}${columns.join('   ')}`);
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
