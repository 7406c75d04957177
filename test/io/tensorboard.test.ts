import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { crc32c, maskedCrc32c } from '../../src/io/crc32c.js';
import { EventWriter, tfRecord } from '../../src/io/tensorboard.js';
import { testFolder } from './folder.js';

const folder = testFolder();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('CRC-32C: the check value, and the test vectors of RFC 3720, B.4', () => {
  expect(crc32c(bytes('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(maskedCrc32c(bytes(''))).toBe(0xa282ead8);
});

function written(resumed: number | null, work: (writer: EventWriter) => void): string {
  const into = join(folder, `${resumed}-${work.length}-${Math.random()}`);
  const writer = new EventWriter(
    into,
    resumed,
    () => undefined,
    () => 1_700_000_000.5,
  );
  work(writer);
  writer.close();
  const [name] = readdirSync(into);
  expect(name).toMatch(/^events\.out\.tfevents\.1700000000\./);
  return readFileSync(join(into, name)).toString('hex');
}

// Bytes that TensorBoard 2.21 read back as version, step, tags, values, text and restart.
const VERSION = '1a00000000000000129bd82d0900002040fc54d94110001a0d627261696e2e4576656e743a32bf8a691d';
const SCALAR = '2100000000000000017becf60900002040fc54d94110ac022a130a110a0a747261696e2f6c6f737315000020403cf09030';
const TEXT =
  '2f000000000000006d5d1d500900002040fc54d94110ac022a210a1f0a046e6f7465420d08071204120208014203e9a5ad4a080a060a047465787408719a5c';
const RESTART = '0f000000000000006d532b090900002040fc54d94110083a020801b9c5b1b1';

test('an event file, byte by byte', () => {
  const hex = written(null, (writer) => {
    writer.scalars(300, { 'train/loss': 2.5 });
    writer.text(300, 'note', '饭');
  });
  expect(hex).toBe(VERSION + SCALAR + TEXT);
});

test('a resumed session says from which step on older events do not count', () => {
  const hex = written(7, () => undefined);
  expect(hex).toBe(VERSION + RESTART);
});

test('a record carries its length and two checksums', () => {
  const record = tfRecord(bytes('abc'));
  const view = new DataView(record.buffer, record.byteOffset);
  expect(record.length).toBe(8 + 4 + 3 + 4);
  expect(view.getBigUint64(0, true)).toBe(3n);
  expect(view.getUint32(8, true)).toBe(maskedCrc32c(record.subarray(0, 8)));
  expect(view.getUint32(15, true)).toBe(maskedCrc32c(bytes('abc')));
});
