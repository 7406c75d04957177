// A peer in a process of its own, talked to in lines of JSON; tensors go through files in a folder for this run.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Starts the program and waits for its first line; rejects with its last words when it ends before. */
export async function startChild(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const folder = mkdtempSync(join(tmpdir(), 'bertgrad-peer-'));
  let words = '';
  child.stderr.on('data', (text) => {
    words = `${words}${text}`.slice(-2000);
  });
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)));
  const fail = (error) => {
    const reason = words.trim().split('\n').at(-1) || `${error?.message ?? `it ended with ${error}`}`;
    for (const one of waiting.splice(0)) one.reject(new Error(reason));
  };
  child.on('error', fail).on('close', fail);
  const next = () => new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  const close = () => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const hello = await next();
    return { hello, folder, pid: child.pid, close, ask: askOf(child, next) };
  } catch (error) {
    close();
    throw error;
  }
}

/** One question, one answer; what the child says went wrong is thrown. */
const askOf = (child, next) => async (order) => {
  const answer = next();
  child.stdin.write(`${JSON.stringify(order)}\n`);
  const said = await answer;
  if (said.error !== undefined) throw new Error(said.error);
  return said;
};

/** Writes values where the child finds them. */
export function writeValues(path, data) {
  const values = data instanceof Int32Array ? data : Float32Array.from(data);
  writeFileSync(path, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** Reads values that the child wrote. */
export function readValues(path, ids) {
  const bytes = readFileSync(path);
  const { buffer } = new Uint8Array(bytes);
  return ids ? new Int32Array(buffer) : new Float32Array(buffer);
}
