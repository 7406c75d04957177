import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

/** Prints what stands at a program's head: what it does, and all its options. */
export function printHead(program) {
  const [head] = readFileSync(program, 'utf8').split(/^(?!\/\/)/m);
  console.log(head.replace(/^\/\/ ?/gm, '').trimEnd());
}

/** The program's options, as Node's parseArgs reads them. */
export function parseOptions({ options, ...rest }) {
  const program = process.argv[1];
  try {
    const parsed = parseArgs({ ...rest, options: { ...options, help: { type: 'boolean', short: 'h' } } });
    if (parsed.values.help === undefined) return parsed;
    printHead(program);
    process.exit(0);
  } catch (error) {
    console.error(`error: ${basename(program)}: ${error.message}\n--help says which options there are`);
    process.exit(2);
  }
}
