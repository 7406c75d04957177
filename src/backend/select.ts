import { createNativeBackend } from '#native';
import { BackendError, UsageError } from '../core/errors.js';
import type { Backend } from './backend.js';
import { createJsBackend } from './js/index.js';

/** Names a user may ask for. `auto` takes the fastest that works and says why. */
export type BackendName = 'auto' | 'native' | 'js';

/** A backend and the sentence that says why it was chosen. */
export interface Choice {
  readonly backend: Backend;
  readonly reason: string;
}

/** What can be tried, best first. The GPU takes its place in front once it is there. */
const CANDIDATES: readonly { readonly name: Exclude<BackendName, 'auto'>; create(): Backend }[] = [
  { name: 'native', create: createNativeBackend },
  { name: 'js', create: () => createJsBackend() },
];

const isName = (name: string): name is BackendName => name === 'auto' || CANDIDATES.some((c) => c.name === name);

/**
 * Makes a backend. `auto` passes over those that cannot run here and reports each with its reason; a backend asked
 * for by name is made or fails.
 * @throws {BackendError} when the one asked for cannot run here
 */
export function selectBackend(wanted: string = 'auto'): Choice {
  if (!isName(wanted)) {
    throw new UsageError(`unknown backend "${wanted}"`, {
      code: 'USAGE-BACKEND',
      fix: `use one of: auto, ${CANDIDATES.map((c) => c.name).join(', ')}`,
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

let chosen: Choice | null = null;

/** The backend on which tensors are made when none is named; `BG_BACKEND` or the fastest at first use. */
export const defaultBackend = (): Backend => defaultChoice().backend;

/** The same with the reason. */
export function defaultChoice(): Choice {
  chosen ??= selectBackend(globalThis.process?.env?.BG_BACKEND ?? 'auto');
  return chosen;
}

/** Makes `backend` (or the one of that name) the default from now on. */
export function useBackend(backend: Backend | BackendName): Choice {
  chosen =
    typeof backend === 'string' ? selectBackend(backend) : { backend, reason: `${backend.name}: set by the program` };
  return chosen;
}
