import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { parseCsv, readJsonValue, readTable } from '../../src/io/table.js';
import { failure, testFolder } from './folder.js';

const folder = testFolder();
const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const cells = async (path: string): Promise<unknown> =>
  (await readTable(path)).rows.map(({ line, cells }) => [line, cells]);

test('TSV: quotes are text, blank lines are no rows, line ends of all kinds', async () => {
  expect(await cells(write('a.tsv', '\ufefflabel\ttext\r\n1\t"good\n\n0\tbad"\n'))).toEqual([
    [1, ['label', 'text']],
    [2, ['1', '"good']],
    [4, ['0', 'bad"']],
  ]);
});

test('CSV: quotes, commas, doubled quotes and line ends inside', () => {
  const rows = parseCsv(['a,b', '"x, ""y""",2', '"two', 'lines",3', ',', '"",""'], 'a.csv');
  expect(rows.map(({ line, cells }) => [line, cells])).toEqual([
    [1, ['a', 'b']],
    [2, ['x, "y"', '2']],
    [3, ['two\nlines', '3']],
    [5, ['', '']],
    [6, ['', '']],
  ]);
  expect(() => parseCsv(['a,"b', 'c'], 'a.csv')).toThrow('a quote of line 1 is never closed');
});

test('JSONL, JSON arrays, gzip, and files without an ending', async () => {
  const rows = '{"text":"a","label":1}\n{"text":"b","label":0}\n';
  for (const [name, content] of [
    ['a.jsonl', rows],
    ['b.json', rows],
    ['c.json', `{"version":1,"data":[${rows.trim().replace('\n', ',')}]}`],
    ['d.jsonl.gz', gzipSync(rows)],
    ['e', rows],
  ] as const) {
    const table = await readTable(write(name, content));
    expect([name, table.rows.map(({ record }) => Object.fromEntries(record))]).toEqual([
      name,
      [
        { text: 'a', label: 1 },
        { text: 'b', label: 0 },
      ],
    ]);
  }
  expect(await readJsonValue(write('f.json', '{\n"a": 1\n}'))).toEqual({ a: 1 });
});

test.each([
  ['bad.jsonl', '{"a":1}\n{"a":\n', 'DATA-JSON', 'bad.jsonl:2'],
  ['list.jsonl', '[1]\n', 'DATA-JSON', 'list.jsonl:1'],
  ['empty.tsv', '\n\n', 'DATA-EMPTY', 'empty.tsv'],
  ['latin.tsv', Buffer.from('a\tcaf\xe9\n', 'latin1'), 'DATA-ENCODING', 'line 1'],
])('%s is refused', async (name, content, code, where) => {
  const error = await failure(readTable(write(name, content)));
  expect(error).toMatchObject({ code });
  expect(error.where).toContain(where);
});
