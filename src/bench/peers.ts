import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Contender } from './contender.js';
import type { ModelSide, ModelWork } from './model-work.js';

/** Programs that others wrote, measured beside ours; each is optional, and lives in bench/peers as a module. */
export const PEERS = [
  'torch',
  'onnxruntime',
  'tfjs',
  'tfjs-webgl',
  'tfjs-webgpu',
  'jax',
  'js-pytorch',
  'openblas',
  'blis',
  'onednn',
] as const;
export type PeerName = (typeof PEERS)[number];

/** Modules that open several; all others are called like their peer. */
const MODULES: Partial<Record<PeerName, string>> = {
  ...{ 'tfjs-webgl': 'tfjs-page', 'tfjs-webgpu': 'tfjs-page' },
  ...{ openblas: 'products', blis: 'products', onednn: 'products' },
};

/** What a module of bench/peers gives: its contenders, or the reason why there are none here. */
interface PeerModule {
  open(options: { readonly threads: number; readonly name: PeerName }): Promise<readonly Contender[] | string>;
  /** A whole model in a process of its own; absent: it has none. */
  openModel?(options: { readonly threads: number; readonly work: ModelWork }): Promise<ModelSide | string>;
}

/** "tfjs: not run: ..." */
interface Absent {
  readonly name: string;
  readonly reason: string;
}

export interface OpenedPeers {
  readonly contenders: readonly Contender[];
  readonly absent: readonly Absent[];
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n')[0] ?? '') : `${error}`;

/** What a module gives, or why it gives nothing. */
async function ask<T>(name: PeerName, use: (peer: PeerModule) => Promise<T | string>): Promise<T | string> {
  const path = new URL(`../../bench/peers/${MODULES[name] ?? name}.mjs`, import.meta.url);
  if (!existsSync(fileURLToPath(path))) return 'its module is not part of this installation';
  try {
    return await use((await import(path.href)) as PeerModule);
  } catch (error) {
    return messageOf(error);
  }
}

/** Opens those that are installed here; the others are told with their reasons. */
export async function openPeers(names: readonly PeerName[], threads: number): Promise<OpenedPeers> {
  const contenders: Contender[] = [];
  const absent: Absent[] = [];
  for (const name of names) {
    const opened = await ask(name, (peer) => peer.open({ threads, name }));
    if (typeof opened === 'string') absent.push({ name, reason: opened });
    else contenders.push(...opened);
  }
  return { contenders, absent };
}

/** Those that can do the work, each with its model built and called once. */
export async function openModels(
  names: readonly PeerName[],
  threads: number,
  work: ModelWork,
): Promise<{ opened: ModelSide[]; absent: Absent[] }> {
  const opened: ModelSide[] = [];
  const absent: Absent[] = [];
  for (const name of names) {
    const side = await ask<ModelSide>(name, async ({ openModel }) =>
      openModel === undefined ? 'has kernels here, and no whole model' : openModel({ threads, work }),
    );
    if (typeof side === 'string') absent.push({ name, reason: side });
    else opened.push(side);
  }
  return { opened, absent };
}
