import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Sandbox } from './sandbox.js';

// The package as npm makes it, unpacked into a project without any other package.
const source = new Sandbox();
const user = new Sandbox();
const run = (code: string): { code: number; said: string } => user.write({ 'main.mjs': code }).run('main.mjs');

beforeAll(() => {
  source.copy('package.json', 'scripts', 'dist').link('node_modules').link('build');
  expect(source.run('scripts/build-node.mjs').said).toMatch(/^dist\/node\/bertgrad\.js: \d+ kB\n$/);
  const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--offline', '--silent'], {
    cwd: source.folder,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const modules = join(user.folder, 'node_modules');
  mkdirSync(modules);
  const archive = join(source.folder, packed.stdout.trim().split('\n').at(-1) ?? '');
  expect(spawnSync('tar', ['-xzf', archive, '-C', modules]).status).toBe(0);
  cpSync(join(modules, 'package'), join(modules, 'bertgrad'), { recursive: true });
}, 120_000);
afterAll(() => {
  source.remove();
  user.remove();
});

test('it computes and walks back with no other package there', () => {
  const { said } = run(`
    import { backward, tensor, useBackend, createJsBackend } from 'bertgrad';
    useBackend(createJsBackend());
    const x = tensor([[1, 2], [3, 4]]);
    x.requiresGrad = true;
    backward(x.mul(x).sum());
    console.log(Array.from(await x.grad.data()).join(' '));
  `);
  expect(said).toBe('2 4 6 8\n');
});

test('loading it makes neither all of node:fs nor sets of characters', () => {
  const folder = join(source.folder, 'dist', 'node');
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
  const entry = read('bertgrad.js');
  const parts = Array.from(entry.matchAll(/from"\.\/(part-\w+\.js)"/g), ([, file]) => read(file));
  expect(parts.length).toBeGreaterThan(0);
  for (const code of [entry, ...parts]) {
    expect(code).not.toMatch(/from"node:(fs|crypto|stream|https?)/);
    expect(code.match(/[^\\]\\p\{.{1,80}/g) ?? []).toEqual([]); // within a string the backslash is doubled
  }
});

test('what is loaded later throws the classes that were loaded first', () => {
  source.write({
    'late.mjs': `
      import { BackendError, createWebGlBackend } from 'bertgrad';
      const error = await createWebGlBackend().catch((error) => error);
      console.log(error instanceof BackendError, error.message);
    `,
  });
  expect(source.run('late.mjs').said).toBe('true gpu: WebGL is there in browsers alone\n');
});

test('the library and the command line in one process share the addon', () => {
  source.write({
    'both.mjs': `
      import { selectBackend } from 'bertgrad';
      import { loadAddon } from './dist/backend/native/load.js';
      let message = 'the same';
      try {
        const addon = loadAddon();
        const [ours, theirs] = [selectBackend('native').backend, addon.isas[0]];
        if (ours.isa !== theirs) message = ours.isa + ', not ' + theirs;
      } catch (error) {
        if (error.code !== 'BACKEND-NATIVE') throw error;
      }
      console.log(message);
    `,
  });
  expect(source.run('both.mjs', [], { BG_ISA: '' }).said).toBe('the same\n');
});
