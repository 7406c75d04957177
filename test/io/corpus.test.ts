import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import { DataError, InputError } from '../../src/core/errors.js';
import { type CorpusOptions, type Document, readDocuments } from '../../src/io/corpus.js';
import { listCorpus } from '../../src/io/corpus-files.js';
import { readLines } from '../../src/io/corpus-lines.js';
import { failure, testFolder } from './folder.js';

const folder = testFolder();
const at = (name: string): string => join(folder, name);
function write(name: string, content: string | Uint8Array): string {
  mkdirSync(join(at(name), '..'), { recursive: true });
  writeFileSync(at(name), content);
  return at(name);
}
async function read(paths: string | readonly string[], options: CorpusOptions = {}): Promise<Document[]> {
  const documents: Document[] = [];
  for await (const document of readDocuments([paths].flat(), options)) documents.push(document);
  return documents;
}
const linesOf = async (...args: Parameters<typeof read>): Promise<(readonly string[])[]> =>
  (await read(...args)).map(({ lines }) => lines);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe('text', () => {
  test('blank lines part documents, a file begins a new one; lines are trimmed and numbered', async () => {
    const a = write('text/a.txt', '\n\n  one two \nthree\n \t\n\nfour');
    const b = write('text/b.txt', '五。\n');
    expect(await read([a, b])).toEqual([
      { source: a, line: 3, lines: ['one two', 'three'], continued: false, sentences: false },
      { source: a, line: 7, lines: ['four'], continued: false, sentences: false },
      { source: b, line: 1, lines: ['五。'], continued: false, sentences: false },
    ]);
  });

  test.each([
    ['LF', 'a\nb\n\nc\n'],
    ['CRLF', 'a\r\nb\r\n\r\nc\r\n'],
    ['CR', 'a\rb\r\rc\r'],
    ['mixed', 'a\r\nb\n\r\nc'],
    ['a byte order mark', '\ufeffa\nb\n\nc'],
    ['NULs', 'a\0\nb\n\0\nc'],
  ])('%s', async (name, text) => {
    expect(await linesOf(write(`ends/${name}.txt`, text))).toEqual([['a', 'b'], ['c']]);
  });

  test('however the bytes arrive', async () => {
    const text = '\ufeff中文 é\r\n\r\n😀 x\r\ny\n';
    const bytes = Buffer.from(text);
    const whole = await linesOf(write('whole.txt', text));
    expect(whole).toEqual([['中文 é'], ['😀 x', 'y']]);
    for (const size of range(bytes.length)) {
      const stdin = range(Math.ceil(bytes.length / (size + 1))).map((i) => {
        return bytes.subarray(i * (size + 1), (i + 1) * (size + 1));
      });
      expect(await linesOf('-', { stdin: from(stdin) })).toEqual(whole);
    }
  });

  test('a long document comes in parts', async () => {
    const path = write('long.txt', `${range(2500).join('\n')}\n\nnext\n`);
    const documents = await read(path);
    expect(documents.map(({ line, lines, continued }) => [line, lines.length, continued])).toEqual([
      [1, 1024, false],
      [1025, 1024, true],
      [2049, 452, true],
      [2502, 1, false],
    ]);
    const exact = await read(write('exact.txt', `${range(1024).join('\n')}\n\nnext\n`));
    expect(exact.map(({ lines, continued }) => [lines.length, continued])).toEqual([
      [1024, false],
      [1, false],
    ]);
  });

  test('gzip, by its bytes and not by its name; several members follow one another', async () => {
    const packed = Buffer.concat([gzipSync('a\n'), gzipSync('\nb\n')]);
    const sizes: number[] = [];
    expect(await linesOf(write('gz/x.txt.gz', packed), { onBytes: (n) => sizes.push(n) })).toEqual([['a'], ['b']]);
    expect(sizes.reduce((x, y) => x + y)).toBe(packed.length);
    expect(await linesOf(write('gz/named.txt', packed))).toEqual([['a'], ['b']]);
    expect(await linesOf('-', { stdin: from([packed]) })).toEqual([['a'], ['b']]);
  });
});

async function* from(chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk as string);
}

describe('JSONL', () => {
  test('a record a document: text is cut into lines, a list is taken as sentences, nothing is passed over', async () => {
    const records = [
      '{"text": "a\\n\\nb", "id": 1}',
      '',
      '{"text": ["c\\nd", null, " "]}',
      '{"text": ""}',
      '{"text": null}',
    ];
    expect(await read(write('j.jsonl', `${records.join('\n')}\n`))).toEqual([
      { source: at('j.jsonl'), line: 1, lines: ['a', 'b'], continued: false, sentences: false },
      { source: at('j.jsonl'), line: 3, lines: ['c d'], continued: false, sentences: true },
    ]);
  });

  test('another column, packed, and from the standard input', async () => {
    const text = '{"body": "一。", "__proto__": 1}\n';
    expect(await linesOf(write('p.jsonl.gz', gzipSync(text)), { column: 'body' })).toEqual([['一。']]);
    expect(await linesOf('-', { stdin: from([text]), column: 'body' })).toEqual([['一。']]);
    expect(await linesOf('-', { stdin: from(['{x} is text\n']) })).toEqual([['{x} is text']]);
  });

  test.each([
    ['no JSON', '{"text": "a"}\n{"text": \n', 'DATA-JSON', 'line 2'],
    ['no object', '["a"]\n', 'DATA-JSON', 'line 1'],
    ['no such column', '{"text": "a"}\n{"body": "a"}\n', 'DATA-COLUMN', 'line 2, with body'],
    ['a number', '{"text": 3}\n', 'DATA-COLUMN', 'line 1'],
    ['a list of lists', '{"text": [["a"]]}\n', 'DATA-COLUMN', 'line 1'],
  ])('%s', async (name, text, code, where) => {
    const error = await failure(read(write(`bad/${name}.jsonl`, text)));
    expect([error.constructor, error.code]).toEqual([DataError, code]);
    expect(error.where).toContain(where);
  });
});

describe('Parquet', () => {
  const table = (columnData: ColumnSource[], options: object = {}): Uint8Array =>
    new Uint8Array(parquetWriteBuffer({ columnData, ...options }));

  test('a row a document, whatever the row groups and the compression', async () => {
    const texts = range(9000).map((i) => (i % 3 === 2 ? '' : `第${i}行\nline ${i}`));
    const path = write(
      't.parquet',
      table(
        [
          { name: 'text', data: texts, type: 'STRING' },
          { name: 'n', data: texts },
        ],
        { rowGroupSize: 4000 },
      ),
    );
    const documents = await read(path);
    expect(documents).toHaveLength(6000);
    expect(documents[4000]).toMatchObject({ line: 6001, lines: ['第6000行', 'line 6000'] });
    const plain = write('u.parquet', table([{ name: 'body', data: texts }], { codec: 'UNCOMPRESSED' }));
    expect(await read(plain, { column: 'body' })).toHaveLength(6000);
  });

  test('no such column, no Parquet, cut short', async () => {
    const bytes = table([{ name: 'body', data: ['a', 'b'] }]);
    const missing = await failure(read(write('m.parquet', bytes)));
    expect([missing.code, missing.where]).toEqual(['DATA-COLUMN', `${at('m.parquet')}, with body`]);
    for (const broken of [bytes.subarray(0, 40), Buffer.from('not at all'), new Uint8Array(0)]) {
      expect((await failure(read(write('n.parquet', broken)))).code).toBe('DATA-PARQUET');
    }
  });
});

describe('files', () => {
  const paths = async (...given: string[]): Promise<string[]> =>
    (await listCorpus(given)).map(({ path }) => path.slice(folder.length + 1));

  test('a folder means the corpus files below it, by name, hidden ones and others left out', async () => {
    for (const name of ['b.txt', 'a.jsonl', 'sub/c.txt.gz', 'sub/d.md', '.hidden.txt', 'z.parquet', '.git/e.txt'])
      write(`tree/${name}`, 'x\n');
    expect(await paths(at('tree'))).toEqual(['a.jsonl', 'b.txt', 'sub/c.txt.gz', 'z.parquet'].map((n) => `tree/${n}`));
    expect(await paths(at('tree'), at('tree/b.txt'), at('tree/../tree/b.txt'))).toHaveLength(4); // each once
    expect((await listCorpus([at('tree/sub/d.md')]))[0].kind).toBe('text'); // named outright
  });

  test.each([
    ['*.txt', ['b.txt']],
    ['?.*', ['a.jsonl', 'b.txt', 'z.parquet']],
    ['{a,z}.*', ['a.jsonl', 'z.parquet']],
    ['[!b].jsonl', ['a.jsonl']],
    ['[a-c].*', ['a.jsonl', 'b.txt']],
    ['**/*.gz', ['sub/c.txt.gz']],
    ['*/c*', ['sub/c.txt.gz']],
  ])('a pattern: %s', async (pattern, wanted) => {
    expect(await paths(join(at('tree'), pattern))).toEqual(wanted.map((name) => `tree/${name}`));
  });

  test('a name with the signs of a pattern is a name first', async () => {
    expect(await linesOf(write('odd/a[1].txt', 'x'))).toEqual([['x']]);
  });

  test.each([
    ['missing.txt', 'SYSTEM-ENOENT'],
    ['missing/*.txt', 'SYSTEM-ENOENT'],
    ['tree/*.doc', 'INPUT-NO-TEXT'],
    ['none', 'INPUT-NO-TEXT'],
    ['loop', 'SYSTEM-ELOOP'],
  ])('%s', async (name, code) => {
    write('none/x.pdf', 'x');
    if (name === 'loop') symlinkSync(at('loop'), at('loop'));
    const error = await failure(read(at(name)));
    expect(error).toBeInstanceOf(InputError);
    expect(error.code).toBe(code);
    if (name === 'none') expect(error.where).toContain('x.pdf');
  });

  test('no permission', async () => {
    const path = write('secret.txt', 'x');
    chmodSync(path, 0);
    const readable = process.getuid?.() === 0; // root may read all
    if (readable) expect(await linesOf(path)).toEqual([['x']]);
    else expect((await failure(read(path))).code).toBe('SYSTEM-EACCES');
  });
});

describe('what is no text', () => {
  test.each([
    ['UTF-8 broken', Buffer.from('good line\nna\xefve\n', 'latin1'), 'DATA-ENCODING', 'line 2, byte 12', 'LATIN1'],
    ['cut off', Buffer.from('好').subarray(0, 2), 'DATA-ENCODING', 'line 1, byte 0', 'LATIN1'],
    ['GB18030', Buffer.from('61620ac4e3bac3cac0bde70a', 'hex'), 'DATA-ENCODING', 'line 2, byte 3', 'GB18030'],
    ['UTF-16', Buffer.from('\ufeffhello\n', 'utf16le'), 'DATA-ENCODING', 'line 1, byte 0', 'UTF-16'],
    ['UTF-16 without a mark', Buffer.from('hello there\n', 'utf16le'), 'DATA-ENCODING', 'line 1, byte 1', 'UTF-16'],
    ['surrogates', Buffer.from('a\n\nb\n\xed\xa0\x80', 'latin1'), 'DATA-ENCODING', 'line 4, byte 5', 'LATIN1'],
    ['a zip', Buffer.from('PK\x03\x04rest'), 'DATA-FORMAT', '', 'unpack'],
    ['a PDF', Buffer.from('%PDF-1.7\n'), 'DATA-FORMAT', '', 'pdftotext'],
    ['zstd', Buffer.from('28b52ffd00', 'hex'), 'DATA-FORMAT', '', 'zstd'],
    ['an LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), 'DATA-FORMAT', '', 'git lfs pull'],
    ['a cut gzip', gzipSync('some text').subarray(0, 20), 'DATA-GZIP', '', 'gzip -t'],
    [
      'a broken gzip',
      Buffer.concat([gzipSync('text').subarray(0, 10), Buffer.alloc(20, 7)]),
      'DATA-GZIP',
      '',
      'gzip -t',
    ],
    ['nothing', Buffer.alloc(0), 'DATA-EMPTY', 'nothing', ''],
    ['blanks', Buffer.from(' \n\n\t\n'), 'DATA-EMPTY', 'blanks', ''],
  ])('%s', async (name, content, code, where, fix) => {
    const path = write(`no-text/${name}.txt`, content);
    const error = await failure(read(path));
    expect([error.constructor, error.code]).toEqual([DataError, code]);
    expect(error.where).toContain(where === '' ? path : where);
    expect(error.fix).toContain(fix);
  });

  test('the byte is that of the file, however far in', async () => {
    const lines = `${'line of text\n'.repeat(50_000)}`;
    const bytes = Buffer.concat([Buffer.from(lines), Buffer.from('ab\xffcd\n', 'latin1'), Buffer.from(lines)]);
    const error = await failure(read(write('far.txt', bytes)));
    expect(error.where).toBe(`${at('far.txt')}, line 50001, byte ${lines.length + 2}`);
  });

  test('a line without end', async () => {
    const take = async (limit: number): Promise<string[]> => {
      const found: string[] = [];
      for await (const { lines } of readLines(from(['abc\n', 'x'.repeat(50), 'y'.repeat(50)]), 'here', limit))
        found.push(...lines);
      return found;
    };
    expect((await take(200)).map(({ length }) => length)).toEqual([3, 100]);
    const error = await failure(take(60));
    expect([error.code, error.where]).toEqual(['DATA-LINE-LENGTH', 'here, line 2']);
  });
});

test('what is read first is not held back by what comes later, and a reader may stop', async () => {
  const path = write('huge.txt.gz', gzipSync('a line\n\n'.repeat(200_000)));
  const reader = readDocuments([path, at('missing.txt')]);
  await expect(reader.next()).rejects.toThrow(InputError); // all paths are looked up before the first line
  const second = readDocuments([path]);
  expect((await second.next()).value.lines).toEqual(['a line']);
  await second.return(undefined);
});
