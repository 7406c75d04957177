import type { Backend } from '../backend/backend.js';
import { createNativeBackend, type NativeBackend } from '../backend/native/index.js';
import { openBackend } from '../backend/select.js';
import { ours } from '../bench/contender.js';
import { openPeers, PEERS, type PeerName } from '../bench/peers.js';
import { measureRoofs } from '../bench/roofs.js';
import type { Entrant, NotRun } from '../bench/run.js';
import { UsageError } from '../core/errors.js';

/** Who takes part, as the command line says it. */
export interface EntrantFlags {
  readonly backend: string;
  readonly isa?: string;
  readonly threads?: string;
  readonly peers?: true | string;
}

export const list = (text: string): string[] => text.split(',').filter(Boolean);

/** What steers the addon, for one entrant; undefined: as the environment has it. */
interface Setting {
  readonly isa: string | undefined;
  readonly threads: string | undefined;
}

/** The addon with settings of its own. @throws {UsageError} one that this machine cannot run with */
const nativeWith = ({ isa, threads }: Setting): NativeBackend =>
  createNativeBackend({
    ...(isa === undefined ? {} : { isa }),
    ...(threads === undefined ? {} : { threads: Number(threads) }),
  });

const openWith = async (name: string, setting: Setting): Promise<Backend> =>
  name === 'native' ? nativeWith(setting) : (await openBackend(name)).backend;

const threadsOf = (backend: Backend): number => Number(/(\d+) threads?$/.exec(backend.runsOn)?.[1] ?? 1);

/** Every instruction set with every number of threads for the addon; one of the others. */
function settingsOf(name: string, flags: EntrantFlags): Setting[] {
  if (name !== 'native') return [{ isa: undefined, threads: undefined }];
  const isas = flags.isa === undefined ? [undefined] : list(flags.isa);
  const counts = flags.threads === undefined ? [undefined] : list(flags.threads);
  return isas.flatMap((isa) => counts.map((threads) => ({ isa, threads })));
}

/** "native", with what tells it from the others of that name. */
function nameOf(name: string, { isa }: Setting, threads: number, flags: EntrantFlags): string {
  const several = (text: string | undefined): boolean => list(text ?? '').length > 1;
  const parts = [
    ...(several(flags.isa) ? [isa] : []),
    ...(several(flags.threads) ? [`${threads} ${threads === 1 ? 'thread' : 'threads'}`] : []),
  ];
  return name === 'native' && parts.length > 0 ? `${name}, ${parts.join(', ')}` : name;
}

/**
 * Backends of ours, native once for each instruction set and number of threads: each is an entrant with roofs of its own.
 * @throws {UsageError} settings of the addon where it takes no part, or that this machine cannot run
 */
export async function oursOf(flags: EntrantFlags): Promise<Entrant[]> {
  const names = list(flags.backend);
  if (!names.includes('native') && (flags.isa ?? flags.threads) !== undefined) {
    throw new UsageError(`bench: --${flags.isa === undefined ? 'threads' : 'isa'} steers native alone`, {
      fix: 'leave it out, or add native to --backend',
    });
  }
  const entrants: Entrant[] = [];
  for (const name of names) {
    for (const setting of settingsOf(name, flags)) {
      const backend = await openWith(name, setting);
      const threads = threadsOf(backend);
      const contender = ours(backend, nameOf(name, setting, threads, flags), threads);
      entrants.push({ contender, roofs: await measureRoofs(backend), again: () => measureRoofs(backend) });
    }
  }
  return entrants;
}

/** All that `bench roof` looks at where nothing is said: every instruction set, with one thread and with all. */
export function everySetting(flags: EntrantFlags): EntrantFlags {
  if (!list(flags.backend).includes('native')) return flags;
  const { isas, threads } = nativeWith({ isa: undefined, threads: undefined });
  const counts = [...new Set([1, threads])].join(',');
  return { ...flags, isa: flags.isa ?? isas.join(','), threads: flags.threads ?? counts };
}

/** @throws {UsageError} for one that there is not */
export function peerNames({ peers }: EntrantFlags): readonly PeerName[] {
  if (peers === undefined || peers === true) return peers === true ? PEERS : [];
  const unknown = list(peers).find((name) => !(PEERS as readonly string[]).includes(name));
  if (unknown === undefined) return list(peers) as PeerName[];
  throw new UsageError(`bench: no peer is called "${unknown}"`, { fix: `use some of: ${PEERS.join(' ')}` });
}

/** Peers stand under the roofs of our fastest backend with as many threads: it is the same machine. */
export async function peersOf(
  flags: EntrantFlags,
  mine: readonly Entrant[],
): Promise<{ peers: Entrant[]; absent: NotRun[] }> {
  const names = peerNames(flags);
  const threads = Math.max(...mine.map(({ contender }) => contender.threads));
  const { contenders, absent } = await openPeers(names, threads);
  const roofs = mine.find(({ contender }) => contender.threads === threads)?.roofs ?? null;
  return {
    peers: contenders.map((contender) => ({ contender, roofs: contender.threads === threads ? roofs : null })),
    absent: absent.map(({ name, reason }) => ({ name: '', contender: name, reason })),
  };
}
