import { BackendError } from '../../core/errors.js';
import type { Backend } from '../backend.js';

/** Stands in for `index.ts` where there is no Node. @throws {BackendError} always */
export function createNativeBackend(): Backend {
  throw new BackendError('the native backend needs Node', {
    code: 'BACKEND-NATIVE',
    where: 'a browser',
    fix: 'use the js backend',
  });
}
