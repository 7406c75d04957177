import { afterAll, expect, test } from '@jest/globals';
import { createNativeBackend } from '#native';
import type { Backend } from '../../src/backend/backend.js';
import { createJsBackend } from '../../src/backend/js/index.js';
import { BINARY_FUNCTIONS, UNARY_FUNCTIONS } from '../../src/backend/native/codes.js';
import type { TypedData } from '../../src/core/dtype.js';
import { describeIf } from '../skip.js';
import { BINARY, CASES, UNARY } from './native-cases.js';
import { type Inputs, runTrial, whyNoNative } from './native-trial.js';

const absent = whyNoNative();
const oracle = createJsBackend('f64');
const isas = absent === null ? createNativeBackend().isas : [];

/** The first element that is off by more than the tolerance; equal infinities and NaN agree. */
function difference(got: TypedData, want: TypedData, tolerance: number): string | null {
  if (got.length !== want.length) return `${got.length} elements, not ${want.length}`;
  for (let i = 0; i < got.length; i++) {
    const close = Math.abs(got[i] - want[i]) <= tolerance * Math.max(1, Math.abs(want[i]));
    if (!close && !Object.is(got[i], Math.fround(want[i]))) return `[${i}] is ${got[i]}, not ${want[i]}`;
  }
  return null;
}

const bits = (data: TypedData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

describeIf(
  absent === null,
  'native',
  absent ?? '',
)('native kernels', () => {
  const inputs = new Map<string, Inputs>(CASES.map(({ name }) => [name, []]));
  const wanted = new Map<string, Promise<TypedData[]>>();
  const backends = new Map<string, Backend>(
    isas.flatMap((isa) =>
      [1, 2].map((threads) => [`${isa} ${threads}`, createNativeBackend({ isa, threads, poison: true })]),
    ),
  );
  const backendOf = (isa: string, threads: number): Backend => backends.get(`${isa} ${threads}`) as Backend;

  test('every function of the tables has a code', () => {
    expect(UNARY.map(({ fn }) => fn.name).sort()).toEqual([...UNARY_FUNCTIONS].sort());
    expect(Object.keys(BINARY).sort()).toEqual([...BINARY_FUNCTIONS].sort());
  });

  test.each(isas.flatMap((isa) => CASES.map((c) => [isa, c.name, c] as const)))(
    '%s: %s',
    async (isa, name, { body, tolerance }) => {
      const given = inputs.get(name) as Inputs;
      if (!wanted.has(name)) wanted.set(name, runTrial(oracle, given, body));
      const want = (await wanted.get(name)) as TypedData[];
      const got = await runTrial(backendOf(isa, 1), given, body);
      const again = await runTrial(backendOf(isa, 2), given, body);
      expect(got.length).toBe(want.length);
      got.forEach((data, i) => {
        const off = difference(data, want[i], tolerance);
        if (off !== null) throw new Error(`output ${i} of ${got.length}: ${off}`);
        if (!Buffer.from(bits(data)).equals(bits(again[i])))
          throw new Error(`output ${i}: other bits with two threads`);
      });
    },
  );

  afterAll(() => {
    for (const backend of [oracle, ...backends.values()]) expect(backend.liveBytes).toBe(0);
  });
});
