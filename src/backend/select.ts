import { createNativeBackend } from '#native';
import { BackendError, UsageError } from '../core/errors.js';
import type { Backend, ProductSize } from './backend.js';
import { createJsBackend } from './js/index.js';

/** Names a user may ask for. `auto` takes the fastest that works and says why. */
export type BackendName = 'auto' | 'gpu' | 'native' | 'js';

/** A backend and the sentence that says why it was chosen. */
export interface Choice {
  readonly backend: Backend;
  readonly reason: string;
}

/** What can be made at once, best first. A GPU is opened by asking the system for it, which takes a while. */
const CANDIDATES: readonly { readonly name: Exclude<BackendName, 'auto'>; create(): Backend }[] = [
  { name: 'native', create: createNativeBackend },
  { name: 'js', create: () => createJsBackend() },
];

const NAMES: readonly string[] = ['auto', 'gpu', ...CANDIDATES.map(({ name }) => name)] satisfies BackendName[];
const isName = (name: string): name is BackendName => NAMES.includes(name);

/** @throws {UsageError} a name that is none */
function checkName(wanted: string): asserts wanted is BackendName {
  if (!isName(wanted)) {
    throw new UsageError(`unknown backend "${wanted}"`, {
      code: 'USAGE-BACKEND',
      fix: `use one of: ${NAMES.join(', ')}`,
    });
  }
}

/**
 * Makes a backend, but for those that have to be opened. `auto` passes over those that cannot run here and reports each
 * with its reason; a backend asked for by name is made or fails.
 * @throws {BackendError} when the one asked for cannot run here
 */
export function selectBackend(wanted: string = 'auto'): Choice {
  checkName(wanted);
  if (wanted === 'gpu') {
    throw new BackendError('gpu: a GPU has to be opened, which takes a while', {
      code: 'BACKEND-GPU',
      fix: "call `await openBackend('gpu')` first",
    });
  }
  const passed: string[] = [];
  for (const candidate of CANDIDATES) {
    if (wanted !== 'auto' && wanted !== candidate.name) continue;
    try {
      const backend = candidate.create();
      const why = wanted === 'auto' ? 'the fastest that runs here' : 'asked for';
      return { backend, reason: [`${backend.name} (${backend.runsOn}): ${why}`, ...passed].join('; ') };
    } catch (error) {
      if (!(error instanceof BackendError) || wanted !== 'auto') throw error;
      passed.push(`not ${candidate.name}: ${error.message}`);
    }
  }
  throw new BackendError('no backend can run here');
}

/**
 * Opens a backend of any name. `auto` takes a GPU that is one, and wins a trial against what `selectBackend` makes.
 * @param products what the trial is of; absent: a projection of BERT-base
 */
export async function openBackend(wanted: string = 'auto', products?: readonly ProductSize[]): Promise<Choice> {
  checkName(wanted);
  if (wanted !== 'gpu' && wanted !== 'auto') return selectBackend(wanted);
  const { openBest, openGpu } = await import('./gpu/choose.js');
  return wanted === 'gpu' ? openGpu() : openBest(selectBackend('auto'), products);
}

let chosen: Choice | null = null;

/** The backend on which tensors are made when none is named; `BG_BACKEND` or the fastest at first use. */
export const defaultBackend = (): Backend => defaultChoice().backend;

/** The same with the reason. */
export function defaultChoice(): Choice {
  chosen ??= selectBackend(globalThis.process?.env?.BG_BACKEND ?? 'auto');
  return chosen;
}

/**
 * Opens what `wanted`, else `BG_BACKEND`, names, a GPU included, and makes it the default; once for a program.
 * @param products as in `openBackend`
 */
export async function openDefault(wanted?: string, products?: readonly ProductSize[]): Promise<Choice> {
  if (wanted === undefined && chosen !== null) return chosen;
  chosen = await openBackend(wanted ?? globalThis.process?.env?.BG_BACKEND ?? 'auto', products);
  return chosen;
}

/** Makes `backend` (or the one of that name) the default from now on. */
export function useBackend(backend: Backend | BackendName): Choice {
  chosen =
    typeof backend === 'string' ? selectBackend(backend) : { backend, reason: `${backend.name}: set by the program` };
  return chosen;
}
