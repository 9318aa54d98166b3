import { defineConfig } from 'vitest/config';
import { LongestFirst } from './scripts/setup/longest-first.mjs';
import { keepNumbers, Skips } from './scripts/setup/reporter.mjs';

export default defineConfig({
  test: {
    include: ['test/*.test.ts'],
    setupFiles: ['test/harness/gentle-polling.ts'],
    // A process per worker: a driver that crashes takes one file with it, not the run.
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    slowTestThreshold: 10_000,
    watch: false,
    // Records that are missing fail: `-u` writes them (docs/testing.md).
    update: 'none',
    reporters: ['default', new Skips()],
    onConsoleLog: keepNumbers,
  },
});
