import { Readable } from 'node:stream';
import { run } from '../../src/cli/program.js';

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process; what it writes is caught, `input` is its standard input. */
export async function cli(argv: readonly string[], input: readonly (string | Uint8Array)[] = []): Promise<Ended> {
  let [out, err] = ['', ''];
  const streams = {
    out: (text: string): void => {
      out += text;
    },
    err: (text: string): void => {
      err += text;
    },
  };
  const { stdin } = process;
  const [writeOut, writeErr] = [process.stdout.write, process.stderr.write];
  const given = Readable.from(input.map((part) => Buffer.from(part)));
  Object.defineProperty(process, 'stdin', { value: given, configurable: true });
  process.stdout.write = (text: string | Uint8Array) => {
    streams.out(String(text));
    return true;
  };
  process.stderr.write = (text: string | Uint8Array) => {
    streams.err(String(text));
    return true;
  };
  try {
    return { code: await run(argv, streams), out, err };
  } finally {
    [process.stdout.write, process.stderr.write] = [writeOut, writeErr];
    Object.defineProperty(process, 'stdin', { value: stdin, configurable: true });
  }
}
