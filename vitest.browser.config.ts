import { defineConfig } from 'vitest/config';

/** The live page in a real browser: needs Chromium (CHROMIUM_PATH, else /usr/bin/chromium). */
export default defineConfig({
  test: {
    include: ['tests/browser/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
