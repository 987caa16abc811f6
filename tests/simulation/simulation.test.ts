import { describe, expect, test } from 'vitest';
import { mutants } from './mutants.js';
import { simulateApart, tryMutants } from './try-mutants.js';

/** Enough for every path that must be taken. */
const seeds = 150;
/** Those that are hardest to see are seen well before. */
const mutantLimit = { seeds: 400, minutes: 4 } as const;
const testMs = 1_200_000;

describe('whatever dies, stands still, is replaced or loses an answer', () => {
  test(
    'nothing is lost, made up or wrong, nobody is warned twice, and every rare path was taken',
    async () => {
      const { code, output, summary } = await simulateApart(['--seeds', String(seeds), '--minutes', '15']);
      expect(output).not.toMatch(/never reached/);
      expect(summary, output.slice(-2_000)).toMatchObject({ runs: seeds, broken: 0 });
      expect(code).toBe(0);
    },
    testMs,
  );

  test(
    'so it is with a fault at every call of a short history',
    async () => {
      const { code, output, summary } = await simulateApart(['--exhaustive', '--minutes', '15']);
      expect(summary, output.slice(-2_000)).toMatchObject({ broken: 0 });
      expect(summary?.runs).toBeGreaterThan(300);
      expect(output).toContain(`${(summary?.runs ?? 0) - 2} single faults`);
      expect(code).toBe(0);
    },
    testMs,
  );

  test(
    'a seed gives the same run again, event by event',
    async () => {
      const trace = async () => (await simulateApart(['--seed', '7', '--verbose'])).output.split('\n').slice(0, -2);
      const [one, other] = [await trace(), await trace()];
      expect(one.length).toBeGreaterThan(200);
      expect(other).toEqual(one);
    },
    testMs,
  );
});

describe('a mistake in what recovers is seen', () => {
  test(
    'each of the deliberate ones',
    async () => {
      expect(mutants.length).toBeGreaterThanOrEqual(20);
      const verdicts = await tryMutants(2, mutantLimit);
      const unseen = verdicts.filter(({ isCaught }) => !isCaught);
      expect(unseen.map(({ mutant, runs, sign }) => `${mutant.name}: ${runs} runs. ${sign}`)).toEqual([]);
    },
    testMs,
  );
});
