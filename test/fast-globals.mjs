// Compiles TypeScript for Jest, and gives each module its own `Math` and the like. Tests run in a context where a global
// is looked up by a slow hook, every time: with it, the reference backend takes tens of times as long as without.
import { createTransformer as compiler } from '@swc/jest';

const PREFIX = 'const { Array, Infinity, Math, NaN, Number } = globalThis; ';

/** In front of the first line, behind a `#!`, so that line numbers stay. */
const prefixed = (result) => ({ ...result, code: result.code.replace(/^(#!.*\n)?/, `$1${PREFIX}`) });

export default {
  createTransformer(options) {
    const swc = compiler(options);
    return {
      ...swc,
      process: (...args) => prefixed(swc.process(...args)),
      processAsync: async (...args) => prefixed(await swc.processAsync(...args)),
      getCacheKey: (...args) => `${swc.getCacheKey(...args)}${PREFIX.length}`,
    };
  },
};
