import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Sandbox } from './sandbox.js';

// A small checkout with packages and nothing else, on a machine whose PATH holds node alone.
const box = new Sandbox();
const bin = join(box.folder, 'bin');
const there = (...path: readonly string[]): boolean => existsSync(join(box.folder, ...path));
const setup = (): { code: number; said: string } => box.run('scripts/setup.mjs', [], { PATH: bin, CXX: '' });

beforeAll(() => {
  box.copy('scripts', 'tsconfig.json', 'package.json', 'package-lock.json').link('node_modules');
  box.write({
    'src/core/one.ts': 'export const one: number = 1;\n',
    'src/cli/main.ts': 'import { one } from "../core/one.js";\nconsole.log("it is", one);\n',
  });
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
});
afterAll(() => box.remove());

test('without a compiler it says so, and what runs instead', () => {
  const { code, said } = setup();
  expect(said).toMatch(/typescript: compiled to dist in/);
  expect(said).toMatch(/native: not built \(no g\+\+ or clang\+\+, make, python3; .*apt-get install/);
  expect(said).toMatch(/ready: js\n$/);
  expect(code).toBe(0);
  expect(there('dist', 'cli', 'main.js')).toBe(true);
});

test('what was built runs', () => {
  expect(box.run('dist/cli/main.js')).toEqual({ code: 0, said: 'it is 1\n' });
});

test('a second time it does only what is missing', () => {
  expect(setup().said).not.toContain('typescript');
  rmSync(join(box.folder, 'dist', 'cli'), { recursive: true });
  expect(setup().said).toContain('typescript: compiled');
  expect(there('dist', 'cli', 'main.js')).toBe(true);
});

test('a source that went away takes its output along', () => {
  box.write({ 'src/core/extra.ts': 'export const extra = 1;\n' });
  setup();
  expect(there('dist', 'core', 'extra.js')).toBe(true);
  rmSync(join(box.folder, 'src', 'core', 'extra.ts'));
  setup();
  expect(there('dist', 'core', 'extra.js')).toBe(false);
});

test('packages that are missing and no npm: one line, and a failure', () => {
  rmSync(join(box.folder, 'node_modules'));
  const { code, said } = box.run('scripts/setup.mjs', [], { PATH: bin, npm_execpath: '' });
  expect(said).toContain('packages: there is no npm in the PATH');
  expect(code).toBe(1);
});

test('wrong types are shown and fail', () => {
  box.link('node_modules');
  writeFileSync(join(box.folder, 'src', 'core', 'wrong.ts'), 'export const wrong: number = "text";\n');
  const { code, said } = setup();
  expect(said).toContain("src/core/wrong.ts(1,14): error TS2322: Type 'string' is not assignable to type 'number'.");
  expect(code).toBe(1);
});
