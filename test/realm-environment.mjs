// Jest runs tests in a context with its own Float32Array, TypeError, ... Addons and Node's own modules use the main
// context's, so `instanceof` fails between the two. Typed arrays are shared outright. Errors cannot be, because the
// engine itself throws the context's own: there `instanceof` accepts both.
import { TestEnvironment } from 'jest-environment-node';

const SHARED = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
];
const ERRORS = ['Error', 'TypeError', 'RangeError', 'SyntaxError'];
const ordinary = Function.prototype[Symbol.hasInstance];

/** Makes `value instanceof own` hold for errors of the main context too; subclasses behave as always. */
function acceptBoth(own, main) {
  const value = function hasInstance(error) {
    return ordinary.call(this, error) || (this === own && ordinary.call(main, error));
  };
  Object.defineProperty(own, Symbol.hasInstance, { value, configurable: true });
}

export default class RealmEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const name of SHARED) this.global[name] = globalThis[name];
    for (const name of ERRORS) acceptBoth(this.global[name], globalThis[name]);
  }
}
