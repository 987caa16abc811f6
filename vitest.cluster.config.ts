import { defineConfig } from 'vitest/config';

/** The adapters of the cluster over real servers: Kafka (Java 17, Maven), Redis, ClickHouse. What is missing is a failure. */
export default defineConfig({
  test: {
    include: ['tests/cluster/**/*.test.ts'],
    pool: 'forks',
    // One after the other: each starts servers of its own.
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
