import { expect, it } from 'vitest';
import { failureOf, huqi } from '../support/huqi.js';

const small = ['--scale', '0.01', '--runs', '1'];

it('measures with the wanted patterns alone', { timeout: 60_000 }, async () => {
  const outcome = await huqi(['bench', 'score', '--only', 'V01,V12', ...small, '--json']);
  expect(outcome.code, outcome.stderr).toBe(0);
  const { patterns, figures } = JSON.parse(outcome.stdout) as { patterns: number; figures: readonly { value: number }[] };
  expect(patterns).toBe(2);
  expect(figures).toHaveLength(2);
  for (const { value } of figures) expect(value).toBeGreaterThan(0);
});

it('says which pattern is unknown', async () => {
  const outcome = await huqi(['bench', 'score', '--only', 'V01,V99', ...small]);
  expect(outcome.stderr).toMatch(/--only: there is no pattern "V99"/);
  expect(failureOf(outcome)).toEqual({ code: 2, lines: 1, hasStack: false });
});
