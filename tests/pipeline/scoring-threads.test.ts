import { expect, it } from 'vitest';
import { roles } from '../../src/pipeline/run.js';
import { scoringThreads } from '../../src/pipeline/scoring-threads.js';

const all = new Set(roles);
const score = new Set(['score']);

it.each([
  ['auto', 4, 12, all, 3],
  ['auto', 4, 12, score, 4],
  ['auto', 4, 12, new Set(['score', 'warn', 'dispatch']), 4],
  ['auto', 4, 12, new Set(['score', 'incoming']), 3],
  ['auto', 4, 12, new Set(['score', 'archive']), 3],
  ['auto', 16, 4, all, 4],
  ['auto', 2, 4, score, 2],
  ['auto', 1, 4, all, 0],
  ['auto', 1, 4, score, 0],
  [0, 8, 4, all, 0],
  [3, 1, 12, score, 3],
  [9, 16, 4, all, 4],
] as const)('score.threads %s on %i processors with %i partitions and %o: %i', (wanted, processors, partitions, run, threads) => {
  expect(scoringThreads(wanted, { processors, partitions, roles: run })).toBe(threads);
});
