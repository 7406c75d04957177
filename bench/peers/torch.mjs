// PyTorch, in the Python that BG_PYTHON names, or python3. It knows nearly all ops, forward and by its autograd.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readValues, startChild, writeValues } from './child.mjs';

/** Which inputs get a gradient: floats that the op does not call constants. */
const wants = ({ op, direction }, { data }, i) =>
  direction === 'backward' && !(data instanceof Int32Array) && !(op.constants ?? []).includes(i);

function ordersOf(child, id, c, data) {
  const inputs = data.inputs.map((input, i) => {
    const file = join(child.folder, `${id}-${i}`);
    writeValues(file, input.data);
    return { file, shape: input.shape, ids: input.data instanceof Int32Array, gradient: wants(c, input, i) };
  });
  const dOut = join(child.folder, `${id}-out`);
  writeValues(dOut, data.dOut);
  return {
    do: 'prepare',
    id,
    op: c.op.name,
    attrs: c.sample.attrs,
    inputs,
    dOut,
    backward: c.direction === 'backward',
  };
}

async function prepare(child, id, c, data) {
  if (!child.hello.ops.includes(c.op.name)) return 'has no such op';
  const { handsOn } = await child.ask(ordersOf(child, id, c, data));
  if (handsOn) return 'runs no kernel: it hands the gradient on as it is';
  return {
    run: async (times) => (await child.ask({ do: 'run', id, times })).seconds,
    results: async () => {
      const { files } = await child.ask({ do: 'results', id, folder: child.folder });
      const values = files.map(({ file, ids }) => readValues(file, ids));
      return c.direction === 'forward'
        ? values
        : data.inputs.map((input, i) => (wants(c, input, i) ? values.shift() : null));
    },
    free: async () => void (await child.ask({ do: 'free', id })),
  };
}

export async function open({ threads }) {
  const program = fileURLToPath(new URL('torch_peer.py', import.meta.url));
  const child = await startChild(process.env.BG_PYTHON ?? 'python3', [program, `${threads}`]);
  let id = 0;
  return [
    {
      name: 'torch',
      runsOn: `PyTorch ${child.hello.version}, ${threads} threads`,
      threads,
      backend: null,
      pid: child.pid,
      prepare: (c, data) => prepare(child, id++, c, data),
      close: child.close,
    },
  ];
}

/** A whole model; see torch_model.py. */
export async function openModel({ threads, work }) {
  const program = fileURLToPath(new URL('torch_model.py', import.meta.url));
  const child = await startChild(process.env.BG_PYTHON ?? 'python3', [program, `${threads}`, JSON.stringify(work)]);
  return { name: 'torch', runsOn: `PyTorch ${child.hello.version}, ${threads} threads`, threads, child };
}
