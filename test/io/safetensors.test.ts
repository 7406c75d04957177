import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { BertgradError, CheckpointError } from '../../src/core/errors.js';
import { readSafetensors, type TensorData, writeSafetensors } from '../../src/io/safetensors.js';
import { failure, testFolder } from './folder.js';
import { CASES, file } from './safetensors-cases.js';

const folder = testFolder();
const path = join(folder, 'model.safetensors');

describe('named cases', () => {
  test.each(CASES)('$name', async ({ bytes, code }) => {
    writeFileSync(path, bytes);
    if (code === null) {
      await readSafetensors(path);
      return;
    }
    const error = await failure(readSafetensors(path));
    expect(error).toBeInstanceOf(CheckpointError);
    expect([error.code, error.exitCode]).toEqual([`SAFETENSORS-${code}`, 65]);
    expect(error.message).toContain(path);
    expect(error.fix).toBeDefined();
  });

  test('100,001 tensors', async () => {
    const entries = Array.from({ length: 100_001 }, (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`);
    writeFileSync(path, file(`{${entries.join(',')}}`));
    expect((await failure(readSafetensors(path))).code).toBe('SAFETENSORS-LIMIT');
  });

  test('a million tensors: a quick refusal', async () => {
    const entries = Array.from({ length: 1e6 }, (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`);
    writeFileSync(path, file(`{${entries.join(',')}}`));
    const before = process.cpuUsage();
    expect((await failure(readSafetensors(path))).code).toBe('SAFETENSORS-LIMIT');
    expect(process.cpuUsage(before).user).toBeLessThan(1e6); // microseconds
  });

  test('a missing file', async () => {
    const error = await failure(readSafetensors(join(folder, 'nothing')));
    expect([error.code, error.exitCode]).toEqual(['SYSTEM-ENOENT', 66]);
  });
});

describe('values', () => {
  const read = async (dtype: string, count: number, data: ArrayBufferView): Promise<unknown> => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    writeFileSync(
      path,
      file(`{"t":{"dtype":"${dtype}","shape":[${count}],"data_offsets":[0,${bytes.length}]}}`, bytes),
    );
    const { tensors, skipped } = await readSafetensors(path);
    return tensors.get('t')?.data ?? skipped.get('t');
  };

  test('half precision: normal, largest, subnormal, infinite, NaN, minus zero', async () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0200, 0x7c00, 0xfc00, 0x7e00, 0x8000);
    const floats = Float32Array.of(1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, 2 ** -15, Infinity, -Infinity, NaN, -0);
    expect(await read('F16', 10, halves)).toEqual(floats);
  });

  test('every half: the value is that of its formula', async () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const want = Float32Array.from(all, (h) => {
      const [sign, exponent, fraction] = [h >> 15 ? -1 : 1, (h >> 10) & 31, h & 1023];
      if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
      return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
    });
    expect(await read('F16', 65536, all)).toEqual(want);
  });

  test('bfloat16 is the upper half of a float32', async () => {
    expect(await read('BF16', 3, Uint16Array.of(0x3f80, 0xc2f7, 0x7f80))).toEqual(Float32Array.of(1, -123.5, Infinity));
  });

  test('integers and booleans', async () => {
    expect(await read('I64', 2, BigInt64Array.of(-5n, 2n ** 31n - 1n))).toEqual(Int32Array.of(-5, 2 ** 31 - 1));
    expect(await read('U32', 1, Uint32Array.of(7))).toEqual(Int32Array.of(7));
    expect(await read('I16', 1, Int16Array.of(-7))).toEqual(Int32Array.of(-7));
    expect(await read('BOOL', 2, Uint8Array.of(0, 1))).toEqual(Int32Array.of(0, 1));
    expect(await read('F64', 1, Float64Array.of(0.1))).toEqual(Float32Array.of(0.1));
  });

  test('what does not fit is skipped, with the reason', async () => {
    expect(await read('I64', 1, BigInt64Array.of(2n ** 31n))).toContain('2147483648');
    expect(await read('U32', 1, Uint32Array.of(2 ** 31))).toContain('2147483648');
    expect(await read('F8_E4M3', 1, Uint8Array.of(1))).toContain('8 bits');
  });
});

describe('writing', () => {
  const tensors = new Map<string, TensorData>([
    ['weight', { shape: [2, 3], data: Float32Array.of(1, -0, NaN, Infinity, 1e-45, 3.4e38) }],
    ['ids', { shape: [2], data: Int32Array.of(-1, 2 ** 31 - 1) }],
    ['scalar', { shape: [], data: Float32Array.of(7) }],
    ['nothing', { shape: [0, 4], data: new Float32Array(0) }],
    ['__proto__', { shape: [1], data: new Float32Array(8).subarray(3, 4) }],
  ]);

  test('a round trip keeps every bit, name, shape and the metadata', async () => {
    await writeSafetensors(path, tensors, { format: 'pt' });
    const back = await readSafetensors(path);
    expect(back.metadata).toEqual({ format: 'pt' });
    expect([...back.tensors.keys()]).toEqual([...tensors.keys()]);
    for (const [name, { shape, data }] of tensors) {
      expect(back.tensors.get(name)).toEqual({ shape, data, dtype: data instanceof Float32Array ? 'F32' : 'I32' });
    }
  });

  test('a shape that does not fit the data is a bug', async () => {
    const wrong = new Map([['w', { shape: [3], data: new Float32Array(2) }]]);
    await expect(writeSafetensors(path, wrong)).rejects.toThrow('tensor "w": 2 values for shape [3]');
  });
});

/** A small generator of our own: the same mutations every time. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  ',',
  ':',
  '-',
  'e9',
  '18446744073709551615',
  '\u0000',
  '"a"',
  '0',
  '\ud800',
];

function mutated(bytes: Uint8Array, below: (n: number) => number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = below(bytes.length);
  const piece = new TextEncoder().encode(PIECES[below(PIECES.length)]);
  switch (below(5)) {
    case 0:
      copy[at] = copy[at] ^ (1 << below(8));
      return copy;
    case 1:
      return copy.subarray(0, at);
    case 2:
      return Buffer.concat([copy.subarray(0, at), piece, copy.subarray(at)]);
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(Math.min(copy.length, at + 1 + below(9)))]);
    default:
      copy.set(piece.subarray(0, copy.length - at), at);
      return copy;
  }
}

test('2,000 mutations: read, or refused by an error of ours; what is read covers the file', async () => {
  const tensors = new Map<string, TensorData>([
    ['a', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
    ['b', { shape: [3], data: Int32Array.of(1, 2, 3) }],
  ]);
  await writeSafetensors(path, tensors, { format: 'pt' });
  const original = new Uint8Array(readFileSync(path));
  const below = random(1);
  const outcomes = { read: 0, refused: 0 };
  for (let i = 0; i < 2000; i++) {
    const bytes = mutated(below(4) === 0 ? mutated(original, below) : original, below);
    writeFileSync(path, bytes);
    try {
      const found = await readSafetensors(path);
      const data = [...found.tensors.values()].reduce((sum, t) => sum + t.data.byteLength, 0);
      expect(data).toBeLessThanOrEqual(bytes.length);
      outcomes.read++;
    } catch (error) {
      if (!(error instanceof BertgradError)) throw error;
      outcomes.refused++;
    }
  }
  expect(outcomes.read).toBeGreaterThan(50);
  expect(outcomes.refused).toBeGreaterThan(1000);
});
