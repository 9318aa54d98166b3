import { defineConfig } from 'vitest/config';

/** What `npm run test:half` runs: half precision, on a driver in software that has matrix units. */
export default defineConfig({
  test: {
    include: ['test/half/*.test.ts'],
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    slowTestThreshold: 10_000,
    watch: false,
  },
});
