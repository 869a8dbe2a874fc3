// `npm test` runs what no other test may run beside in a turn of its own.
const ALONE = process.env.NFCONNTRACK_TESTS === 'alone';

export default {
  testEnvironment: 'node',
  testMatch: [ALONE ? '<rootDir>/test/alone/**/*.test.ts' : '<rootDir>/test/!(alone)/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/(build|dist|\\.dist-next|prebuilds)/'],
  transform: { '^.+\\.ts$': 'ts-jest' },
  // Jest's own place is shared by everyone whose user id maps to 0, as in a user namespace.
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  reporters: ['default', '<rootDir>/scripts/setup/count-reporter.mjs'],
  maxWorkers: ALONE ? 1 : 2,
  // Enough for a machine that has a lot else to do.
  testTimeout: 240_000,
};
