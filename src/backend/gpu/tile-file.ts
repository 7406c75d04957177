import { shortMemory, type TileMemory } from './tile-memory.js';

/** Node's own modules where this is Node, from 20.16 on. */
const fs = globalThis.process?.getBuiltinModule?.('node:fs');
const os = globalThis.process?.getBuiltinModule?.('node:os');

/** Choices by adapter, then by what was chosen for. */
type Content = Record<string, Record<string, string>>;

const isContent = (json: unknown): json is Content =>
  typeof json === 'object' &&
  json !== null &&
  Object.values(json).every(
    (choices) =>
      typeof choices === 'object' &&
      choices !== null &&
      Object.values(choices).every((choice) => typeof choice === 'string'),
  );

/** A file that is absent, damaged or not ours holds nothing: what it would have said is found out again. */
function contentOf(path: string): Content {
  try {
    const json: unknown = JSON.parse(fs?.readFileSync(path, 'utf8') ?? '{}');
    return isContent(json) ? json : {};
  } catch {
    return {};
  }
}

/** `bertgrad/gpu-trials.json` in the folder for caches (XDG Base Directory Specification). */
export const trialsPath = (env: Readonly<Record<string, string | undefined>> = process.env): string =>
  `${env.XDG_CACHE_HOME || `${os?.homedir()}/.cache`}/bertgrad/gpu-trials.json`;

/** What trials have chosen on this adapter, in a file that all processes share; the last to save an entry wins. */
export function fileMemory(adapter: string, path = trialsPath()): TileMemory {
  const memory = shortMemory();
  for (const [key, choice] of Object.entries(contentOf(path)[adapter] ?? {})) memory.set(key, choice);
  let fresh: Record<string, string> = {};
  return {
    place: path,
    get size() {
      return memory.size;
    },
    get: memory.get,
    set(key, choice) {
      memory.set(key, choice);
      fresh[key] = choice;
    },
    save() {
      if (Object.keys(fresh).length === 0) return;
      const content = contentOf(path);
      content[adapter] = { ...content[adapter], ...fresh };
      fresh = {};
      try {
        fs?.mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
        const beside = `${path}.${process.pid}`;
        fs?.writeFileSync(beside, `${JSON.stringify(content, null, 1)}\n`);
        fs?.renameSync(beside, path);
      } catch {
        // A folder that cannot be written: the next process tries again.
      }
    },
  };
}
