#!/usr/bin/env node
import { describeError } from './errors.js';
import { run } from './program.js';

/** The end for what no command caught; stderr is written at once, so nothing is lost. */
function die(error: unknown): never {
  const { text, exitCode } = describeError(error, process.argv.includes('--debug'));
  process.stderr.write(text);
  process.exit(exitCode);
}

// A reader that closed early (`bertgrad tokenize ... | head`) is no mistake of anybody's.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? process.exit(0) : die(error)));
}
process.on('uncaughtException', die);
process.on('unhandledRejection', die);

const code = await run(process.argv.slice(2));
if (code !== 0) process.exit(code);
