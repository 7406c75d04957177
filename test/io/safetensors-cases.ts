/** A file of tensors by hand: any header, any data, any length. */
export interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Code of the error, or null for a file that must be read. */
  readonly code: string | null;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const zeros = (count: number): Uint8Array => new Uint8Array(count);

export function file(header: string | Uint8Array, data: Uint8Array = zeros(0), length?: bigint): Uint8Array {
  const head = typeof header === 'string' ? utf8(header) : header;
  const bytes = new Uint8Array(8 + head.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(head.length), true);
  bytes.set(head, 8);
  bytes.set(data, 8 + head.length);
  return bytes;
}

const tensor = (shape: string, offsets: string, dtype = '"U8"'): string =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;
const one = (shape: string, offsets: string, dtype?: string): string => `{"a":${tensor(shape, offsets, dtype)}}`;
const two = (first: string, second: string): string => `{"a":${tensor('[4]', first)},"b":${tensor('[4]', second)}}`;
const good = two('[0,4]', '[4,8]');
const eight = zeros(8);
const byte = zeros(1);

const header = (name: string, text: string, data: Uint8Array, code: string | null): Case => ({
  name,
  bytes: file(text, data),
  code,
});

const lengths: Case[] = [
  { name: 'header of length 0', bytes: file('', eight, 0n), code: 'HEADER' },
  { name: 'header of length 1', bytes: file(good, eight, 1n), code: 'HEADER' },
  { name: 'header longer than the file', bytes: file(good, eight, 500n), code: 'LENGTH' },
  { name: 'header of 2^63 bytes', bytes: file(good, eight, 2n ** 63n), code: 'LENGTH' },
  { name: 'header of 2^64 - 1 bytes', bytes: file(good, eight, 2n ** 64n - 1n), code: 'LENGTH' },
  { name: 'header cut by one byte', bytes: file(good, eight, BigInt(good.length - 1)), code: 'HEADER' },
  { name: 'header above the limit', bytes: file(`{${' '.repeat(25_000_001)}}`), code: 'LIMIT' },
  { name: 'empty file', bytes: zeros(0), code: 'LENGTH' },
  { name: 'seven bytes', bytes: Uint8Array.of(16, 0, 0, 0, 0, 0, 0), code: 'LENGTH' },
];

const texts: Case[] = [
  { name: 'not UTF-8', bytes: file(Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d)), code: 'HEADER' },
  header('byte order mark', '\ufeff{}', zeros(0), 'HEADER'),
  header('array', '[]', zeros(0), 'HEADER'),
  header('null', 'null', zeros(0), 'HEADER'),
  header('text after the object', '{}x', zeros(0), 'HEADER'),
  header('cut object', '{', zeros(0), 'HEADER'),
  header('leading blanks', `  ${good}`, eight, 'HEADER'),
  header('depth of a million', `{"a":${'['.repeat(1e6)}`, zeros(0), 'HEADER'),
  header('nested objects', '{"a":{"b":{"c":{}}}}', zeros(0), 'HEADER'),
  header('tensor that is no object', '{"a":[1]}', zeros(0), 'FIELDS'),
  header('raw control character in a name', `{"a\u0001":${tensor('[0]', '[0,0]')}}`, zeros(0), 'HEADER'),
  header('unknown escape in a name', `{"a\\x":${tensor('[0]', '[0,0]')}}`, zeros(0), 'HEADER'),
];

const numbers: Case[] = [
  ['negative size', '[-1]', '[0,1]'],
  ['minus zero', '[-0]', '[0,0]'],
  ['size with a point', '[1.0]', '[0,1]'],
  ['size with an exponent', '[1e0]', '[0,1]'],
  ['leading zero', '[01]', '[0,1]'],
  ['offset with a point', '[1]', '[0.0,1.0]'],
  ['negative offset', '[1]', '[-1,0]'],
  ['offsets above 2^53', '[1]', '[9007199254740992,9007199254740993]'],
  ['size 2^63 - 1', '[2,9223372036854775807]', '[0,1]'],
  ['size 2^64 - 2', '[2,18446744073709551614]', '[0,1]'],
].map(([name, shape, offsets]) => header(name, one(shape, offsets), byte, 'HEADER'));

const fields: Case[] = [
  header('size as a string', one('["1"]', '[0,1]'), byte, 'SHAPE'),
  header('size as a boolean', one('[true]', '[0,1]'), byte, 'SHAPE'),
  header('shape that is no list', one('1', '[0,1]'), byte, 'SHAPE'),
  header('offsets as strings', one('[1]', '["0","1"]'), byte, 'OFFSETS'),
  header('one offset', one('[1]', '[0]'), byte, 'OFFSETS'),
  header('three offsets', one('[1]', '[0,1,1]'), byte, 'OFFSETS'),
  header('end before begin', one('[1]', '[1,0]'), byte, 'OFFSETS'),
  header('unknown dtype', one('[1]', '[0,1]', '"F31"'), byte, 'DTYPE'),
  header('dtype in small letters', one('[1]', '[0,1]', '"u8"'), byte, 'DTYPE'),
  header('dtype of Object.prototype', one('[1]', '[0,1]', '"toString"'), byte, 'DTYPE'),
  header('dtype null', one('[1]', '[0,1]', 'null'), byte, 'DTYPE'),
  header('missing field', '{"a":{"shape":[1],"data_offsets":[0,1]}}', byte, 'FIELDS'),
  header('extra field', `{"a":${tensor('[1]', '[0,1]').slice(0, -1)},"x":1}}`, byte, 'FIELDS'),
  header('duplicate name', `{"a":${tensor('[1]', '[0,1]')},"a":${tensor('[1]', '[0,1]')}}`, byte, 'HEADER'),
  header('duplicate metadata', '{"__metadata__":{},"__metadata__":{}}', zeros(0), 'HEADER'),
  header('metadata with a number', '{"__metadata__":{"a":1}}', zeros(0), 'METADATA'),
  header('metadata as a list', '{"__metadata__":["a"]}', zeros(0), 'METADATA'),
  header('metadata in metadata', '{"__metadata__":{"a":{}}}', zeros(0), 'METADATA'),
];

const layout: Case[] = [
  header('hole', two('[0,4]', '[8,12]'), zeros(12), 'HOLE'),
  header('hole at the start', one('[1]', '[1,2]'), zeros(2), 'HOLE'),
  header('overlap', two('[0,4]', '[3,7]'), zeros(7), 'OVERLAP'),
  header('two names on one range', two('[0,4]', '[0,4]'), zeros(4), 'OVERLAP'),
  header(
    'ten names on one range',
    `{${Array.from({ length: 10 }, (_, i) => `"${i}":${tensor('[4]', '[0,4]')}`).join(',')}}`,
    zeros(4),
    'OVERLAP',
  ),
  header('bytes after the last tensor', good, zeros(9), 'LENGTH'),
  header('short by one byte', good, zeros(7), 'LENGTH'),
  header('shape larger than its bytes', one('[3]', '[0,1]'), byte, 'SIZE'),
  header('dtype larger than its bytes', one('[1]', '[0,1]', '"F32"'), byte, 'SIZE'),
  header('product of 2^64', one('[4294967296,4294967296]', '[0,0]'), zeros(0), 'SIZE'),
];

const strangers: Case[] = [
  ['Git LFS pointer', utf8('version https://git-lfs.github.com/spec/v1\noid sha256:0\n')],
  ['error page', utf8('<!DOCTYPE html><html><body>not found</body></html>')],
  ['PyTorch archive', Uint8Array.of(0x50, 0x4b, 3, 4, ...zeros(40))],
  ['pickle', Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, ...zeros(9))],
  ['Keras file', Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10, ...zeros(9))],
  ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2)],
].map(([name, bytes]) => ({ name: name as string, bytes: bytes as Uint8Array, code: 'KIND' }));

const valid: Case[] = [
  header('two tensors', good, eight, null),
  header('trailing blanks', `${good}   `, eight, null),
  header('another order', `{"b":${tensor('[4]', '[4,8]')},"a":${tensor('[4]', '[0,4]')}}`, eight, null),
  header('no tensors', '{}', zeros(0), null),
  header('rank 0', one('[]', '[0,4]', '"F32"'), zeros(4), null),
  header('no elements', one('[2,0,3]', '[0,0]'), zeros(0), null),
  header('metadata', `{"__metadata__":{"format":"pt"},${good.slice(1)}`, eight, null),
  header('a header of 60 bytes, which is "<"', one('[1]', '[0,1]').padEnd(60), byte, null),
  ...['__proto__', 'constructor', '../../etc/x', '', 'a\u001b[31m', 'toString', '权重.😀', 'n'.repeat(1e6)].map(
    (name) =>
      header(
        `the name ${JSON.stringify(name.slice(0, 20))}`,
        `{${JSON.stringify(name)}:${tensor('[1]', '[0,1]')}}`,
        byte,
        null,
      ),
  ),
];

export const CASES: readonly Case[] = [...lengths, ...texts, ...numbers, ...fields, ...layout, ...strangers, ...valid];
