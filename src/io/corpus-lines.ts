import { isUtf8 } from 'node:buffer';
import { DataError } from '../core/errors.js';

/** Lines of a text, and the number of the first, counted from 1. */
export interface Lines {
  readonly lines: readonly string[];
  readonly first: number;
}

const LF = 10;
const CR = 13;
/** Bytes that may pass without the end of a line. */
const LONGEST_LINE = 10e6;

/**
 * Cuts a stream of UTF-8 into lines, which end with LF, CRLF or CR. A byte order mark and NULs are dropped.
 * @param source the file, for messages
 * @throws {DataError} DATA-ENCODING with line and byte; DATA-LINE-LENGTH
 */
export async function* readLines(
  bytes: AsyncIterable<Uint8Array>,
  source: string,
  longest = LONGEST_LINE,
): AsyncGenerator<Lines> {
  let rest = Buffer.alloc(0);
  let [line, offset] = [1, 0];
  for await (const chunk of bytes) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    // A CR at the very end may be half of a CRLF.
    const end = Math.max(rest.lastIndexOf(LF), rest.lastIndexOf(CR, -2)) + 1;
    if (end > 0) {
      const lines = decode(rest.subarray(0, end), { source, line, offset });
      lines.pop(); // what follows the last line end
      yield { lines, first: line };
      line += lines.length;
      offset += end;
      rest = rest.subarray(end);
    }
    if (rest.length > longest) throw tooLong(source, line, longest);
  }
  if (rest.length === 0) return;
  const lines = decode(rest, { source, line, offset });
  if (lines.at(-1) === '') lines.pop();
  yield { lines, first: line };
}

/** Where a block of text stands: its first line, and the byte it begins at. */
interface Place {
  readonly source: string;
  readonly line: number;
  readonly offset: number;
}

function decode(block: Buffer, place: Place): string[] {
  if (!isUtf8(block)) throw notUtf8(block, place);
  let text = block.toString('utf8');
  if (place.offset === 0 && text.startsWith('\ufeff')) text = text.slice(1);
  if (text.includes('\0')) {
    if (place.offset === 0 && block.filter((byte) => byte === 0).length > 0.4 * block.length)
      throw encodingError(place, block.indexOf(0), 'UTF-16 without a byte order mark, or no text', 'UTF-16');
    text = text.replaceAll('\0', '');
  }
  return text.split(/\r\n|\n|\r/);
}

function notUtf8(block: Buffer, place: Place): DataError {
  const bad = firstInvalid(block);
  const [a, b] = block;
  const utf16 = place.offset === 0 && ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff));
  if (utf16) return encodingError(place, 0, 'UTF-16', 'UTF-16', 1);
  const before = block
    .subarray(0, bad)
    .toString('utf8')
    .split(/\r\n|\n|\r/);
  const guess = isGb18030(block) ? 'GB18030' : 'LATIN1';
  return encodingError(place, bad, `byte 0x${block[bad].toString(16)} begins no character`, guess, before.length);
}

function encodingError({ source, line, offset }: Place, at: number, what: string, from: string, lines = 1): DataError {
  return new DataError(`${source}: is not UTF-8: ${what}`, {
    code: 'DATA-ENCODING',
    where: `${source}, line ${line + lines - 1}, byte ${offset + at}`,
    fix: `save it as UTF-8; if it is ${from}: iconv -f ${from} -t UTF-8 ${source}`,
  });
}

/** Pairs of bytes as GBK has them: Chinese text in it reads as GB18030 without a fault, Latin-1 rarely does. */
function isGb18030(block: Buffer): boolean {
  try {
    const text = new TextDecoder('gb18030', { fatal: true }).decode(block);
    return /\p{Script=Han}{2}/u.test(text);
  } catch {
    return false; // cut in the middle of a character, or something else
  }
}

/** Where the first character begins that is none: the end of the longest valid prefix, found by halving. */
function firstInvalid(block: Buffer): number {
  const valid = (end: number): boolean => {
    try {
      // stream: a character that is cut off at `end` is no mistake yet.
      new TextDecoder('utf-8', { fatal: true }).decode(block.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let [good, bad] = [0, block.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (valid(middle)) good = middle;
    else bad = middle;
  }
  while (!isUtf8(block.subarray(0, good))) good--; // it begins before the byte that betrays it
  return good;
}

const tooLong = (source: string, line: number, longest: number): DataError =>
  new DataError(`${source}: a line has more than ${longest / 1e6} million bytes`, {
    code: 'DATA-LINE-LENGTH',
    where: `${source}, line ${line}`,
    fix: 'set line ends between sentences or paragraphs, and blank lines between documents',
  });
