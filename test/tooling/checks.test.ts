import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Sandbox } from './sandbox.js';

// Each check is given a small project with one fault in it, and must name that fault.
let box: Sandbox;
beforeEach(() => {
  box = new Sandbox();
});
afterEach(() => box.remove());

const check = (name: string): string => resolve('.ci', name);
const MANIFEST = JSON.stringify({ scripts: { test: 'x' }, dependencies: { commander: '1' } });

describe('layers', () => {
  const layers = (files: Readonly<Record<string, string>>) =>
    box.write({ 'package.json': MANIFEST, ...files }).run(check('layers.mjs'));

  test('arrows to the left are fine, comments are no imports', () => {
    const { code, said } = layers({
      'src/core/a.ts': "// import { b } from '../ops/b.js'\n/* from '../ops/b.js' */ export const a = 1;",
      'src/ops/b.ts': "import { a } from '../core/a.js';\nexport const b = a;",
      'src/cli/c.ts':
        "import { readFileSync } from 'node:fs';\nimport { Command } from 'commander';\nexport const c = 1;",
    });
    expect(said).toContain('3 files, 3 imports, 0 problems'.replace('3 imports', '1 imports'));
    expect(code).toBe(0);
  });

  test.each([
    [
      'an arrow to the right',
      { 'src/core/a.ts': "import '../ops/b.js';", 'src/ops/b.ts': '' },
      'core may not import ops',
    ],
    ['data and io apart', { 'src/io/a.ts': "import '../data/b.js';", 'src/data/b.ts': '' }, 'io may not import data'],
    ['Node where a browser goes', { 'src/bert/a.ts': "import 'node:fs';" }, 'node:fs would not run in a browser'],
    ['a package nobody listed', { 'src/cli/a.ts': "import x from 'left-pad';" }, '"left-pad" is not in dependencies'],
    ['a file that is not there', { 'src/core/a.ts': "export * from './b.js';" }, './b.js is not there'],
    ['a folder that is no layer', { 'src/utils/a.ts': "import '../core/b.js';", 'src/core/b.ts': '' }, 'is no layer'],
    [
      'a circle, through a lazy import too',
      { 'src/core/a.ts': "import './b.js';", 'src/core/b.ts': "export const x = () => import('./a.js');" },
      'cycle: src/core/a.ts -> src/core/b.ts -> src/core/a.ts',
    ],
  ])('%s', (_name, files, problem) => {
    const { code, said } = layers(files as Record<string, string>);
    expect(said).toContain(problem);
    expect(code).toBe(1);
  });
});

describe('size', () => {
  const lines = (n: number, text = 'let x = 1;'): string => `${text}\n`.repeat(n);
  const size = (files: Readonly<Record<string, string>>) => box.write(files).run(check('size.mjs'));

  test('comments, blank lines and docs are free, literals are not comments', () => {
    const text = `// a\n/** b\n * c */\n\nconst u = 'http://x'; // d\nexport const op = {\n  doc: {\n    formula: 'y',\n  },\n};\n`;
    const { said, code } = size({ 'src/core/a.ts': text });
    expect(said).toMatch(/engine +4 /);
    expect(code).toBe(0);
  });

  test('C++ is counted too', () => {
    const text = `// a\nstatic int f() {\n  return 1; // b\n}\n`;
    expect(size({ 'native/a.cc': text }).said).toMatch(/native +3 /);
  });

  test.each([
    ['a file of 251 lines', { 'src/core/a.ts': lines(251) }, /OVER +251 {2}src\/core\/a\.ts/],
    [
      'a function of 41 lines',
      { 'src/core/a.ts': `function f() {\n${lines(39)}}\n` },
      /OVER +41 {2}src\/core\/a\.ts f/,
    ],
    [
      'a C++ function of 41',
      { 'native/a.cc': `void f(int n) {\n${lines(39, 'n++;')}}\n` },
      /OVER +41 {2}native\/a\.cc f/,
    ],
  ])('%s', (_name, files, problem) => {
    const { code, said } = size(files as Record<string, string>);
    expect(said).toMatch(problem);
    expect(code).toBe(1);
  });

  test('a part above its ceiling', () => {
    const files = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`src/cli/f${i}.ts`, lines(200)]));
    const { code, said } = size(files);
    expect(said).toMatch(/cli: 12000 lines, ceiling \d+; make it smaller/);
    expect(code).toBe(1);
  });
});

describe('documents', () => {
  const README = '# Title\n\n```sh\nnpm test # all\n```\n';
  const documents = (files: Readonly<Record<string, string>>) => {
    box.write({
      'package.json': MANIFEST,
      'README.md': README,
      'README.zh.md': README.replace('all', '全部'),
      ...files,
    });
    box.write({
      'dist/cli/main.js': "if (process.argv[2] === 'vocab') console.log('--size <n>'); else process.exit(2);",
    });
    for (const args of [
      ['init', '-q'],
      ['add', '-A'],
    ])
      execFileSync('git', args, { cwd: box.folder });
    return box.run(check('docs.mjs'));
  };

  test('links, paths, scripts and commands that are there', () => {
    const { code, said } = documents({
      'docs/a.md': '[up](../README.md) `docs/a.md` `npm run test` `bertgrad vocab a.txt --size 5 # --no-option`\n',
    });
    expect(said).toMatch(/documents: 3, \d+ references, 0 problems/);
    expect(code).toBe(0);
  });

  test.each([
    ['a link', '[x](gone.md)', 'link to gone.md'],
    ['a path', '`src/gone.ts`', 'names src/gone.ts'],
    ['a script', '`npm run gone`', 'npm run gone is no script'],
    ['a command', '`bertgrad gone`', 'bertgrad gone is no command'],
    ['an option', '```sh\nbertgrad vocab a.txt \\\n  --gone\n```', 'bertgrad vocab has no option --gone'],
  ])('%s that is not there', (_name, text, problem) => {
    const { code, said } = documents({ 'docs/a.md': `${text}\n` });
    expect(said).toContain(`docs/a.md: ${problem}`);
    expect(code).toBe(1);
  });

  test('an example that does not run', () => {
    const example = (code: string): string => `\`\`\`ts\nimport { one } from 'bertgrad';\n${code}\n\`\`\`\n`;
    box.write({ 'dist/index.js': 'export const one = 1;' });
    const manifest = { name: 'bertgrad', type: 'module', exports: './dist/index.js', scripts: {} };
    const said = (code: string): string =>
      documents({ 'package.json': JSON.stringify(manifest), 'docs/a.md': example(code) }).said;
    expect(said('console.log(one);')).toContain(' 0 problems');
    expect(said('one();')).toContain('docs/a.md: an example fails: TypeError: one is not a function');
  });

  test('a word that the glossary rules out', () => {
    const glossary = '| English | 中文 | meaning | not |\n|---|---|---|---|\n| token | 词元 | | 代币，令牌 |\n';
    const { said } = documents({ 'docs/glossary.md': glossary, 'src/a.ts': "export const zh = '一个令牌';\n" });
    expect(said).toContain('src/a.ts: "令牌" is ruled out by docs/glossary.md');
  });

  test('an error whose code nobody explains', () => {
    const errors = '| code | meaning |\n|---|---|\n| DATA-EMPTY | no text |\n';
    const source = (code: string): string => `throw new DataError('x', { code: '${code}' });\n`;
    const said = (code: string): string => documents({ 'docs/errors.md': errors, 'src/a.ts': source(code) }).said;
    expect(said('DATA-EMPTY')).toContain(' 0 problems');
    expect(said('DATA-NEW')).toContain('src/a.ts: DATA-NEW is not in docs/errors.md');
  });

  test('two languages that differ', () => {
    expect(documents({ 'README.zh.md': `${README}\n## More\n` }).said).toContain(
      'README.zh.md: headings or code blocks',
    );
  });
});
