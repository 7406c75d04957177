// A package of bench/package.json, or the reason why it is not there.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** @throws {Error} with the command that installs it */
export function locate(name) {
  try {
    return require.resolve(name);
  } catch {
    throw new Error(`${name} is not installed: npm install --prefix bench`);
  }
}

export const load = (name) => {
  locate(name);
  return require(name);
};

/** Version of an installed package, from the package.json above the file it is loaded from. */
export function versionOf(name) {
  for (let folder = dirname(locate(name)); ; folder = dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (found.name === name) return found.version;
    } catch {
      if (folder === dirname(folder)) return 'of unknown version';
    }
  }
}

/** Values as what these packages take: float32, or whole numbers as they are. */
export const plainValues = (data) => (data instanceof Int32Array ? data : Float32Array.from(data));
