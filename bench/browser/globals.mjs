// `benchmark` looks for its two packages, and for itself, among the globals of a page.
import lodash from 'lodash';
import platform from 'platform';

Object.assign(globalThis, { _: lodash, platform });
const { default: Benchmark } = await import('benchmark');
Object.assign(globalThis, { Benchmark });
