// OpenBLAS, BLIS and oneDNN for products, each in a process of its own. BG_PEERS_ROOT names the root of another system that
// has them (a Debian unpacked into a folder); they then run on that system's own dynamic loader.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readValues, startChild, writeValues } from './child.mjs';

const LIBRARIES = ['openblas', 'blis', 'onednn'];
const SOURCE = fileURLToPath(new URL('products.cc', import.meta.url));
let compiled = null;

/** Compiles products.cc, once for a process. @throws when there is no compiler */
function program() {
  if (compiled !== null) return compiled;
  const folder = mkdtempSync(join(tmpdir(), 'bertgrad-products-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'products');
  const { status, stderr, error } = spawnSync('c++', ['-std=c++17', '-O2', SOURCE, '-o', path, '-ldl'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`products.cc does not compile: ${error?.message ?? stderr.split('\n')[0]}`);
  compiled = path;
  return path;
}

/** The program on the libraries of this system, or of another one. */
function commandOf(root) {
  if (root === '') return [program()];
  const loader = ['ld-linux-x86-64.so.2', 'ld-linux-aarch64.so.1']
    .map((name) => join(root, 'lib64', name))
    .find(existsSync);
  if (loader === undefined) throw new Error(`BG_PEERS_ROOT: ${root} has no dynamic loader in lib64`);
  const folders = ['x86_64', 'aarch64'].map((arch) => join(root, 'usr/lib', `${arch}-linux-gnu`));
  return [loader, '--library-path', folders.join(':'), program()];
}

const start = (name, threads, root = process.env.BG_PEERS_ROOT ?? '') => {
  const [command, ...first] = commandOf(root);
  return startChild(command, [...first, name, `${threads}`], root === '' ? {} : { BG_PEERS_ROOT: root });
};

/** Those that run here; says of the others why they do not. */
export async function startProducts(threads, root) {
  const peers = [];
  for (const name of LIBRARIES) {
    try {
      const { hello, ask, close } = await start(name, threads, root);
      console.log(`${name}: ${hello.library}`);
      peers.push({ name, ask, close });
    } catch (error) {
      console.log(`${name}: not run: ${error.message}`);
    }
  }
  return peers;
}

/**
 * The products of a case: what they multiply (inputs by number, `out` for dOut, `ones`), what the result begins as, and
 * which result it is.
 */
const PRODUCTS = {
  matmul: ({ transposeA, transposeB }, direction) => {
    if (transposeA || transposeB) return null;
    if (direction === 'forward') return [{ layout: 'nn', a: 0, b: 1, of: 0 }];
    return [
      { layout: 'nt', a: 'out', b: 1, of: 0 },
      { layout: 'tn', a: 0, b: 'out', of: 1 },
    ];
  },
  // The weight is [out, in]; the sums over rows that a bias needs are a product with ones.
  linear: (_, direction) =>
    direction === 'forward'
      ? [{ layout: 'nt', a: 0, b: 1, begin: 2, of: 0 }]
      : [
          { layout: 'nn', a: 'out', b: 1, of: 0 },
          { layout: 'tn', a: 'out', b: 0, of: 1 },
          { layout: 'tn', a: 'ones', b: 'out', of: 2 },
        ],
};

/** Operands of a case, with their files. */
function operandsOf(child, id, data) {
  const rows = data.outShape.at(-2);
  const all = [
    ...data.inputs.map(({ shape, data: values }, i) => [i, shape, values]),
    ['out', data.outShape, data.dOut],
    ['ones', [rows, 1], new Float32Array(rows).fill(1)],
  ];
  return new Map(
    all.map(([name, shape, values]) => {
      const file = join(child.folder, `${id}-${name}`);
      writeValues(file, values);
      return [name, { file, shape }];
    }),
  );
}

async function keep(child, operands, { layout, a, b, begin }) {
  const [left, right] = [operands.get(a), operands.get(b)];
  const [m, k] = left.shape;
  const n = layout === 'nt' ? right.shape[0] : right.shape[1];
  const c = begin === undefined ? '-' : operands.get(begin).file;
  const { id } = await child.ask({ keep: { layout, m, k, n }, a: left.file, b: right.file, c });
  return id;
}

async function prepare(child, id, c, data) {
  const products = PRODUCTS[c.op.name]?.(c.sample.attrs, c.direction) ?? null;
  if (products === null) return 'multiplies matrices, and nothing else';
  const operands = operandsOf(child, id, data);
  const ids = [];
  for (const product of products) ids.push(await keep(child, operands, product));
  for (const { file } of operands.values()) rmSync(file);
  const run = async (times) => {
    let all = 0;
    for (const one of ids) all += (await child.ask({ run: one, times })).seconds;
    return all;
  };
  return {
    run,
    results: async () => {
      await run(1);
      const values = [];
      for (const [i, one] of ids.entries()) {
        const file = join(child.folder, `${id}-result`);
        await child.ask({ write: one, file });
        values[products[i].of] = readValues(file, false);
      }
      return values;
    },
    free: async () => {
      for (const one of ids) await child.ask({ drop: one });
    },
  };
}

export async function open({ threads, name }) {
  const child = await start(name, threads);
  let id = 0;
  return [
    {
      name,
      runsOn: `${child.hello.version}, ${threads} threads`,
      threads,
      backend: null,
      pid: child.pid,
      prepare: (c, data) => prepare(child, id++, c, data),
      close: child.close,
    },
  ];
}
