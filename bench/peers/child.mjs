// What modules of peers share: a program in a process of its own, and files of values.
import { readFileSync, writeFileSync } from 'node:fs';

export { startChild } from '../../dist/bench/child.js';

/** Writes values where the child finds them. */
export function writeValues(path, data) {
  const values = data instanceof Int32Array ? data : Float32Array.from(data);
  writeFileSync(path, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** Reads values that the child wrote. */
export function readValues(path, ids) {
  const bytes = readFileSync(path);
  const { buffer } = new Uint8Array(bytes);
  return ids ? new Int32Array(buffer) : new Float32Array(buffer);
}
