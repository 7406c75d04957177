import type { FileHandle } from 'node:fs/promises';
import { readFully } from './files.js';

/** Where a file lies in an archive; its bytes are stored as they are. */
export interface ZipEntry {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** An archive that is damaged, or packed in a way that is not read. */
export class ZipError extends Error {}

function fail(what: string): never {
  throw new ZipError(what);
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
/** Sizes and offsets of this value stand in the 64-bit fields instead. */
const IN_64 = 0xffffffff;
const LARGEST_DIRECTORY = 64e6;

/** Reads parts of a file whose size is known, and refuses those beyond it. */
class Source {
  constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    readonly size: number,
  ) {}

  async read(offset: number, length: number): Promise<DataView> {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) fail('it points beyond its end');
    const bytes = new Uint8Array(length);
    await readFully(this.handle, this.path, offset, bytes);
    return new DataView(bytes.buffer);
  }
}

const u64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** Where the directory lies: at the end of the file, behind a comment of any length (APPNOTE.TXT 4.3.16). */
async function directory(source: Source): Promise<{ offset: number; size: number; count: number }> {
  const tail = Math.min(source.size, 22 + 65_535);
  const view = await source.read(source.size - tail, tail);
  let at = tail - 22;
  while (at >= 0 && view.getUint32(at, true) !== END) at--;
  if (at < 0) return fail('its directory is missing: the file is cut short');
  const small = {
    count: view.getUint16(at + 10, true),
    size: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  if (small.count !== 0xffff && small.size !== IN_64 && small.offset !== IN_64) return small;
  if (at < 20 || view.getUint32(at - 20, true) !== LOCATOR_64) return small;
  const large = await source.read(u64(view, at - 12), 56);
  if (large.getUint32(0, true) !== END_64) fail('its directory is damaged');
  return { count: u64(large, 32), size: u64(large, 40), offset: u64(large, 48) };
}

/** Size and offset of an entry, from the 64-bit fields where they stand there (4.5.3). */
function places(view: DataView, at: number): { size: number; offset: number } {
  let size = view.getUint32(at + 24, true);
  let offset = view.getUint32(at + 42, true);
  const packed = view.getUint32(at + 20, true);
  let extra = at + 46 + view.getUint16(at + 28, true);
  const end = extra + view.getUint16(at + 30, true);
  while (extra + 4 <= end) {
    const length = view.getUint16(extra + 2, true);
    if (view.getUint16(extra, true) === 1) {
      let field = extra + 4;
      if (size === IN_64) {
        size = u64(view, field);
        field += 8;
      }
      if (packed === IN_64) field += 8;
      if (offset === IN_64) offset = u64(view, field);
    }
    extra += 4 + length;
  }
  return { size, offset };
}

/** Where the bytes of an entry begin: behind a header of its own. */
async function dataStart(source: Source, offset: number): Promise<number> {
  const local = await source.read(offset, 30);
  if (local.getUint32(0, true) !== LOCAL) fail('an entry is not where the directory says');
  return offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
}

/**
 * The files of an archive, in the order of its directory.
 * @throws {ZipError} damaged, compressed, or entries beyond the end
 */
export async function zipEntries(handle: FileHandle, path: string, size: number): Promise<ZipEntry[]> {
  const source = new Source(handle, path, size);
  const found = await directory(source);
  if (found.size > LARGEST_DIRECTORY || found.count * 46 > found.size) fail('its directory is damaged');
  const view = await source.read(found.offset, found.size);
  const entries: ZipEntry[] = [];
  for (let i = 0, at = 0; i < found.count; i++) {
    if (at + 46 > found.size || view.getUint32(at, true) !== CENTRAL) fail('its directory is damaged');
    const length = view.getUint16(at + 28, true);
    const next = at + 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > found.size) fail('its directory is damaged');
    const name = new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, length));
    if (view.getUint16(at + 10, true) !== 0) fail(`"${name}" is compressed, which torch.save never does`);
    const place = places(view, at);
    const offset = await dataStart(source, place.offset);
    if (offset + place.size > size) fail(`"${name}" reaches beyond the end`);
    entries.push({ name, offset, size: place.size });
    at = next;
  }
  return entries;
}
