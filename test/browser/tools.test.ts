// A user's own tools may rewrite the library: mangled, compressed or with counters in it, it computes the same bits. Kernels
// are text, which no tool touches.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { describeIf } from '../skip.js';
import { findChromium, launch, open } from './chromium.js';
import type { ModeName, program } from './page/program.js';
import { TOY } from './page/toy.js';
import { serve } from './site.mjs';

const folders: string[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'bertgrad-tools-'));
  folders.push(made);
  return made;
};
afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});

const IN_NODE = [
  'bundled',
  'mangled by esbuild',
  'minified by esbuild',
  'minified by terser',
  'instrumented by istanbul',
];
/** Those that change most: a page compiles every shader anew. */
const IN_PAGE = ['bundled', 'minified by terser', 'instrumented by istanbul'];

function node(args: readonly string[], cwd = '.'): string {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8', env });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** The program as the tools leave it: file names by tool. In a process of its own, for tools are slow within Jest. */
const applyTools = (home: string, where: 'node' | 'page', tools: readonly string[]): Record<string, string> =>
  JSON.parse(node(['test/browser/tools.mjs', home, where, tools.join(',')]));

type Results = Readonly<Record<string, Readonly<Record<string, number[] | null>>>>;

/** Every tool gives what the untouched bundle gives, in every mode that is there. */
function expectEqual(results: Results, modes: readonly string[]): void {
  const { bundled, ...others } = results;
  const there = modes.filter((mode) => bundled[mode] !== null);
  process.stderr.write(`tools: ${Object.keys(others).length} beside the bundle, in ${there.join(', ')}\n`);
  for (const mode of there) expect(bundled[mode]?.every(Number.isFinite)).toBe(true);
  for (const [tool, got] of Object.entries(others)) expect([tool, got]).toEqual([tool, bundled]);
}

test('in Node', async () => {
  const home = folder();
  const files = applyTools(home, 'node', IN_NODE);
  const script = `import { readFileSync } from 'node:fs';
const text = readFileSync('corpus.txt', 'utf8').slice(0, ${TOY.characters});
const results = {};
for (const [tool, file] of Object.entries(${JSON.stringify(files)})) {
  const { program } = await import('./' + file);
  results[tool] = { js: await program('js', text), webgpu: await program('webgpu', text) };
}
console.log(JSON.stringify(results));
process.exit(); // the device of the GPU would hold it
`;
  writeFileSync(join(home, 'run.mjs'), script);
  cpSync('examples/en/corpus.txt', join(home, 'corpus.txt'));
  expectEqual(JSON.parse(node(['run.mjs'], home)) as Results, ['js', 'webgpu']);
}, 600_000);

describeIf(
  findChromium() !== undefined,
  'browser',
  'there is no Chromium; on Debian: apt-get install chromium',
)('in Chromium', () => {
  const modes: readonly ModeName[] = ['js', 'webgpu', 'webgl2'];

  test('in every mode', async () => {
    const home = folder();
    const files = applyTools(home, 'page', IN_PAGE);
    cpSync('examples/en/corpus.txt', join(home, 'corpus.txt'));
    writeFileSync(join(home, 'index.html'), '<!doctype html><title>tools</title>');
    const site = await serve(home);
    const browser = await launch();
    const results: Record<string, Record<string, number[] | null>> = {};
    try {
      for (const tool of IN_PAGE) {
        const { page, errors } = await open(browser, site.url);
        await page.addScriptTag({ url: files[tool], type: 'module' });
        results[tool] = await page.evaluate(
          async ([names, length]) => {
            const text = (await (await fetch('corpus.txt')).text()).slice(0, length);
            const run = Reflect.get(globalThis, 'program') as typeof program;
            const got: Record<string, number[] | null> = {};
            for (const name of names) got[name] = await run(name, text);
            return got;
          },
          [modes, TOY.characters] as const,
        );
        expect(errors).toEqual([]);
        await page.close();
      }
    } finally {
      await browser.close();
      await site.close();
    }
    expectEqual(results, modes);
  }, 600_000);
});
