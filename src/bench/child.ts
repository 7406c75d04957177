// A program in a process of its own, talked to in lines of JSON; tensors go through files in a folder for this run.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { isObject, type Json, type JsonObject, parseJson } from '../io/json.js';

/** A program that has said that it is ready. */
export interface Child {
  /** Its first line. */
  readonly hello: JsonObject;
  readonly folder: string;
  readonly pid: number | undefined;
  /** One question, one answer; what it says went wrong is thrown. */
  ask(order: Json): Promise<JsonObject>;
  close(): void;
}

interface Waiting {
  resolve(line: JsonObject): void;
  reject(error: Error): void;
}

const MOST_WORDS = 2000;

/** @returns what gives the last line that came */
function listenTo(stream: Readable): () => string {
  let words = '';
  stream.on('data', (text: Buffer) => {
    words = `${words}${text.toString()}`.slice(-MOST_WORDS);
  });
  return () => words.trim().split('\n').at(-1) ?? '';
}

/** Starts the program and waits for its first line; rejects with its last words when it ends before. */
export async function startChild(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Child> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const folder = mkdtempSync(join(tmpdir(), 'bertgrad-peer-'));
  const waiting: Waiting[] = [];
  const lastWords = listenTo(child.stderr);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = parseJson(line);
    if (isObject(said)) waiting.shift()?.resolve(said);
  });
  const fail = (error: Error | number | null): void => {
    const reason = lastWords() || (error instanceof Error ? error.message : `it ended with ${error}`);
    for (const one of waiting.splice(0)) one.reject(new Error(reason));
  };
  child.on('error', fail).on('close', fail);
  child.stdin.on('error', () => undefined); // it is gone: `close` has said so
  const next = (): Promise<JsonObject> => new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  const ask = async (order: Json): Promise<JsonObject> => {
    const answer = next();
    child.stdin.write(`${JSON.stringify(order)}\n`);
    const said = await answer;
    if (typeof said.error === 'string') throw new Error(said.error);
    return said;
  };
  const close = (): void => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    return { hello: await next(), folder, pid: child.pid, close, ask };
  } catch (error) {
    close();
    throw error;
  }
}
