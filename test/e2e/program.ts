import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/cli/main.js');

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
  const { NODE_OPTIONS: _, ...own } = process.env; // jest's own loader has no place in the program
  return { ...own, NO_COLOR: '1', ...more };
};

/** Runs the compiled program to its end, as a user would. */
export function bertgrad(
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Ended {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    input: options.input ?? '',
    cwd: options.cwd ?? ROOT,
    env: environment(options.env),
    timeout: 120_000,
  });
  if (error !== undefined) throw error;
  return { code: status, out: stdout, err: stderr };
}

/** The same in the background, so that it can be sent signals. */
export function start(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [MAIN, ...args], { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout?.on('data', (part) => {
    out += part;
  });
  child.stderr?.on('data', (part) => {
    err += part;
  });
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, out, err })));
  return { child, ended };
}

/** Like `bertgrad`, but a run that fails is a failed test, with what it said. */
export function succeed(args: readonly string[], options: Parameters<typeof bertgrad>[1] = {}): Ended {
  const ended = bertgrad(args, options);
  if (ended.code !== 0) throw new Error(`bertgrad ${args.join(' ')}: exit code ${ended.code}\n${ended.err}`);
  return ended;
}

export const temporary = (): string => mkdtempSync(join(tmpdir(), 'bertgrad-'));
export const remove = (folder: string): void => rmSync(folder, { recursive: true, force: true });

export const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Every file below a folder with its hash: two states of a folder are equal when these are. */
export function treeHash(folder: string): string {
  const names = readdirSync(folder, { recursive: true }).map(String).sort();
  return names
    .map((name) => `${name} ${statSync(join(folder, name)).isFile() ? sha256(join(folder, name)) : ''}`)
    .join('\n');
}

/** A model small enough that a step takes milliseconds. */
export const SMALL = {
  hidden_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 64,
  max_position_embeddings: 32,
};

/** A vocabulary, shards and a configuration, made by the program itself from a part of the shipped corpus. */
export function prepareSmall(folder: string): { corpus: string; vocab: string; shards: string; config: string } {
  const [corpus, vocab, shards, config] = ['corpus.txt', 'vocab.txt', 'shards', 'config.json'].map((n) =>
    join(folder, n),
  );
  const text = readFileSync(join(ROOT, 'examples/en/corpus.txt'), 'utf8').split('\n\n').slice(0, 8).join('\n\n');
  writeFileSync(corpus, `${text}\n`);
  succeed(['vocab', corpus, '-o', vocab, '--size', '400']);
  succeed(['prepare', corpus, '--vocab', vocab, '-o', shards]);
  writeFileSync(config, JSON.stringify(SMALL));
  return { corpus, vocab, shards, config };
}

/** The curve of a run: every step's and every evaluation's figures, without those that are times. */
export function curve(run: string): unknown[] {
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => {
    const { seconds: _s, tokens_per_second: _t, mfu: _m, rss_mb: _r, ...rest } = JSON.parse(line);
    return rest;
  });
}
