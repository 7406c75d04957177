// What the programs share that are a peer's whole model: our weights to begin with, and answers to a benchmark's orders.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { peakMemory } from '../../dist/bench/peak-memory.js';
import { readSafetensors } from '../../dist/io/safetensors.js';

const PROGRAM = fileURLToPath(new URL('../../dist/bench/model-child.js', import.meta.url));

/**
 * Another process writes our model into a file, so that its memory is not counted here.
 * @param what 'export': its encoder as ONNX; 'weights': all of it as safetensors, under our names
 * @param read gets the file, which is gone afterwards
 */
export async function withOurs(what, work, read) {
  const folder = mkdtempSync(join(tmpdir(), 'bertgrad-model-'));
  try {
    const file = join(folder, 'model');
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, what, file, JSON.stringify(work)], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr.trim().split('\n').at(-1));
    return await read(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Our initial weights: data and shape by our names. */
export const ourWeights = (work) => withOurs('weights', work, async (file) => (await readSafetensors(file)).tensors);

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Says hello, then calls as often as it is told and says how long that took. */
export async function serveModel(hello, call) {
  say(hello);
  for await (const line of createInterface({ input: process.stdin })) {
    const { times } = JSON.parse(line);
    const from = performance.now();
    for (let i = 0; i < times; i++) await call();
    say({ seconds: (performance.now() - from) / 1000, memory: peakMemory() });
  }
}

/** [rows, cols] the other way round: users of these keep weights as [in, out], and products are faster so. */
export const turned = ({ data, shape: [rows, cols] }) => ({
  data: Float32Array.from(data, (_, i) => data[(i % rows) * cols + Math.floor(i / rows)]),
  shape: [cols, rows],
});

/** A weight as they keep it: matrices of products turned, tables and vectors as they are. */
export const theirs = (name, one) =>
  one.shape.length === 2 && !name.includes('embeddings') ? turned(one) : { data: one.data, shape: one.shape };
