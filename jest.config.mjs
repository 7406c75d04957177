import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';

// Without a driver of a GPU, the software one of Debian's chromium serves. The Vulkan loader reads the variable itself, so
// it must be the process's own: tests have a copy of process.env.
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (!process.env.VK_DRIVER_FILES && existsSync(SWIFTSHADER)) process.env.VK_ICD_FILENAMES ??= SWIFTSHADER;

// coverageProvider v8: istanbul writes counters into kernel bodies, which gpu.js then fails to compile (gpu.js #663).
export default {
  testEnvironment: '<rootDir>/test/realm-environment.mjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^#native$': '<rootDir>/src/backend/native/index.ts',
    '^#gpu$': '<rootDir>/src/backend/gpu/provider-node.ts',
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
