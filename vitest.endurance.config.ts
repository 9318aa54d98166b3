import { defineConfig } from 'vitest/config';

/** `npm run test:endurance -- readers`: in a process that can collect its garbage. */
export default defineConfig({
  test: {
    include: ['test/endurance/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    execArgv: ['--expose-gc'],
    testTimeout: 24 * 3_600_000,
    hookTimeout: 600_000,
    slowTestThreshold: 3_600_000,
    watch: false,
  },
});
