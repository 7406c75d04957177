import { type Disk, disk } from '../../src/io/files.js';

/** One call to the disk, and what it was told. */
export interface Call {
  readonly what: 'makeFolder' | 'create' | 'write' | 'sync' | 'syncFolder' | 'rename' | 'remove';
  readonly path: string;
  readonly to?: string;
  readonly bytes?: Uint8Array;
}

/** Is asked before each call; may throw, or ask for a write of half the bytes before it throws. */
export type Meddle = (call: Call, number: number) => 'go' | 'half' | Error;

/** The real disk, with somebody who counts, notes down and breaks the calls. */
export function watched(meddle: Meddle): { disk: Disk; calls: Call[] } {
  const calls: Call[] = [];
  const ask = (call: Call): 'go' | 'half' => {
    const answer = meddle(call, calls.length);
    if (answer instanceof Error) throw answer;
    calls.push(call);
    return answer;
  };
  const double: Disk = {
    async makeFolder(path) {
      ask({ what: 'makeFolder', path });
      await disk.makeFolder(path);
    },
    async create(path) {
      ask({ what: 'create', path });
      const file = await disk.create(path);
      return {
        async write(bytes) {
          const half = ask({ what: 'write', path, bytes: Uint8Array.from(bytes) }) === 'half';
          await file.write(half ? bytes.subarray(0, bytes.length >> 1) : bytes);
          if (half) ask({ what: 'write', path });
        },
        async sync() {
          ask({ what: 'sync', path });
          await file.sync();
        },
        close: () => file.close(),
      };
    },
    async syncFolder(path) {
      ask({ what: 'syncFolder', path });
      await disk.syncFolder(path);
    },
    async rename(from, to) {
      ask({ what: 'rename', path: from, to });
      await disk.rename(from, to);
    },
    async remove(path) {
      ask({ what: 'remove', path });
      await disk.remove(path);
    },
    list: (path) => disk.list(path),
  };
  return { disk: double, calls };
}

/** The process is gone: from call `n` on nothing happens any more. A write that is under way stops half-way. */
export class Killed extends Error {}

export function killAt(n: number): Meddle {
  return (call, number) => {
    if (number < n) return 'go';
    return number === n && call.what === 'write' && call.bytes !== undefined ? 'half' : new Killed();
  };
}

/** An error of the system, as Node throws it. */
export const errno = (code: string): Error => Object.assign(new Error(code), { code, syscall: 'write' });

/** Call `n` fails; with `onward` all later ones too, but for those that free space. */
export function failAt(n: number, code: string, onward: boolean): Meddle {
  let failed = 0;
  return ({ what }, number) => {
    const due = onward ? number >= n && what !== 'remove' : number === n && failed === 0;
    if (!due) return 'go';
    failed++;
    return errno(code);
  };
}
