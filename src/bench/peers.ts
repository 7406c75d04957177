import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Contender } from './contender.js';

/** Programs that others wrote, measured beside ours; each is optional, and lives in bench/peers as a module. */
export const PEERS = ['torch', 'onnxruntime', 'tfjs', 'jax', 'js-pytorch', 'openblas', 'blis', 'onednn'] as const;
export type PeerName = (typeof PEERS)[number];

/** Libraries that are opened by one program. */
const PRODUCTS: readonly PeerName[] = ['openblas', 'blis', 'onednn'];

/** What a module of bench/peers gives: its contenders, or the reason why there are none here. */
interface PeerModule {
  open(options: { readonly threads: number; readonly name: PeerName }): Promise<readonly Contender[] | string>;
}

export interface OpenedPeers {
  readonly contenders: readonly Contender[];
  /** "tfjs: not run: ..." */
  readonly absent: readonly { readonly name: string; readonly reason: string }[];
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? (error.message.split('\n')[0] ?? '') : `${error}`;

async function open(name: PeerName, threads: number): Promise<readonly Contender[] | string> {
  const path = new URL(`../../bench/peers/${PRODUCTS.includes(name) ? 'products' : name}.mjs`, import.meta.url);
  if (!existsSync(fileURLToPath(path))) return 'its module is not part of this installation';
  try {
    return await ((await import(path.href)) as PeerModule).open({ threads, name });
  } catch (error) {
    return messageOf(error);
  }
}

/** Opens those that are installed here; the others are told with their reasons. */
export async function openPeers(names: readonly PeerName[], threads: number): Promise<OpenedPeers> {
  const contenders: Contender[] = [];
  const absent: { name: string; reason: string }[] = [];
  for (const name of names) {
    const opened = await open(name, threads);
    if (typeof opened === 'string') absent.push({ name, reason: opened });
    else contenders.push(...opened);
  }
  return { contenders, absent };
}
