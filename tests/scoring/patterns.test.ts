import { describe, expect, it } from 'vitest';
import { runExamples } from '../../src/scoring/example-runner.js';
import { compileOrThrow, shippedPatterns } from '../support/patterns.js';

const set = compileOrThrow(shippedPatterns());

describe('the patterns that ship', () => {
  it('are the twelve of the first release, all active', () => {
    expect(set.patterns.map(({ pattern }) => pattern.id)).toEqual([
      'M01',
      'M02',
      'M03',
      'M04',
      'M05',
      'M07',
      'M08',
      'M12',
      'M16',
      'V01',
      'V11',
      'V12',
    ]);
    expect(set.patterns.every(({ state }) => state === 'active')).toBe(true);
  });

  it('never address the holder of an account that looks like a mule', () => {
    const telling = set.patterns.filter(({ pattern }) => pattern.side === 'mule' && pattern.audience.includes('enterprise'));
    expect(telling).toEqual([]);
  });

  for (const { pattern } of set.patterns) {
    describe(`${pattern.id} ${pattern.title.en}`, () => {
      for (const outcome of runExamples(set, pattern)) {
        it(`${outcome.expected === 'hit' ? 'hits' : 'leaves alone'}: ${outcome.example}`, () => {
          expect(outcome.found, outcome.explanation).toBe(outcome.expected);
        });
      }
    });
  }
});
