// OpenBLAS, BLIS and oneDNN for products, each in a process of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from './child.mjs';

const LIBRARIES = ['openblas', 'blis', 'onednn'];

/** Compiles products.cc into `folder`. @throws when there is no compiler */
function compile(folder) {
  const program = join(folder, 'products');
  const source = fileURLToPath(new URL('products.cc', import.meta.url));
  const { status, stderr, error } = spawnSync('c++', ['-std=c++17', '-O2', source, '-o', program, '-ldl'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`products.cc does not compile: ${error?.message ?? stderr.split('\n')[0]}`);
  return program;
}

/**
 * Those that run here; says of the others why they do not.
 * @param root of a system that has the libraries, entered by chroot; '': this one
 */
export async function startProducts(threads, root) {
  const folder = mkdtempSync(join(root === '' ? tmpdir() : join(root, 'tmp'), 'bertgrad-products-'));
  const peers = [];
  try {
    const program = compile(folder);
    const command = root === '' ? [program] : ['chroot', root, program.slice(root.length)];
    for (const name of LIBRARIES) {
      try {
        const { hello, ask, close } = await startChild(command[0], [...command.slice(1), name, `${threads}`]);
        console.log(`${name}: ${hello.library}`);
        peers.push({ name, ask, close });
      } catch (error) {
        console.log(`${name}: not run: ${error.message}`);
      }
    }
  } catch (error) {
    console.log(`peers: not run: ${error.message}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return peers;
}
