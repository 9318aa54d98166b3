import { defineConfig } from 'vitest/config';

/** What `npm run test:package` runs: the package as its users get it. */
export default defineConfig({
  test: {
    include: ['test/package/*.test.ts'],
    globalSetup: 'test/package/pack.ts',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    slowTestThreshold: 30_000,
    watch: false,
  },
});
