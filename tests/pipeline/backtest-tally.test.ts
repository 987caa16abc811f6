import { expect, test } from 'vitest';
import { createTally } from '../../src/pipeline/backtest-tally.js';
import { makeHit } from '../support/hits.js';
import { shippedPolicy as policy } from '../support/pipeline.js';

/** By the shipped policy a low pattern adds 0.15 of its score, and 0.1 is what a warning is raised from. */
const faint = (pattern: string, transaction: string) =>
  makeHit({ pattern, transaction, severity: 'low', score: 0.5, family: 'base-signals' });

test('a warning that the platform would not raise is counted nowhere, until a second pattern makes it one', () => {
  const tally = createTally(policy);
  tally.add([faint('N01', 'T1')]);
  tally.add([faint('N01', 'T2')]);
  expect(tally.hits).toBe(2);
  expect(tally.warnings()).toEqual([]);
  const resumed = createTally(policy, tally.save());
  for (const one of [tally, resumed]) {
    one.add([faint('N02', 'T3')]);
    expect(one.warnings()).toMatchObject([{ family: 'base-signals', patterns: ['N01', 'N02'] }]);
  }
  expect(createTally({ ...policy, leastScore: 0.2 }, tally.save()).warnings()).toEqual([]);
});
