import { availableParallelism } from 'node:os';

// coverageProvider v8: istanbul writes counters into kernel bodies, which gpu.js then fails to compile (gpu.js #663).
export default {
  testEnvironment: '<rootDir>/test/realm-environment.mjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^#native$': '<rootDir>/src/backend/native/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': ['<rootDir>/test/fast-globals.mjs', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/build/'],
  reporters: ['default', '<rootDir>/test/skip-reporter.mjs'],
  // Jest leaves one core idle by default, which on two cores means half the speed.
  maxWorkers: Math.min(availableParallelism(), 8),
  testTimeout: 60_000,
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
  coveragePathIgnorePatterns: ['/node_modules/', '/src/backend/gpu/kernels/'],
};
