import { readFileSync } from 'node:fs';

/** A file of tensors in ten lines, so that golden values do not depend on our own reader. */
export function goldenTensors(url: URL): (name: string) => Float32Array {
  const bytes = readFileSync(url);
  const length = Number(bytes.readBigUInt64LE(0));
  const header: Record<string, { data_offsets: [number, number] }> = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  const body = Uint8Array.from(bytes.subarray(8 + length));
  return (name) => {
    const entry = header[name];
    if (entry === undefined) throw new Error(`no golden tensor ${name}`);
    return new Float32Array(body.slice(...entry.data_offsets).buffer);
  };
}
