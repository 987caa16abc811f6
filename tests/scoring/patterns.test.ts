import { describe, expect, it } from 'vitest';
import { runExamples } from '../../src/scoring/example-runner.js';
import { compileOrThrow, shippedPatterns } from '../support/patterns.js';

const set = compileOrThrow(shippedPatterns());

describe('the patterns that ship', () => {
  it('are the 58 of the catalogue and their companions', () => {
    const numbers = (letter: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${letter}${String(i + 1).padStart(2, '0')}`);
    const shipped = new Set(set.patterns.map(({ pattern }) => pattern.id.replace(/[a-z]$/, '')));
    expect([...numbers('V', 16), ...numbers('M', 42)].filter((id) => !shipped.has(id))).toEqual([]);
  });

  it('are told at least by two examples that hit and two near misses', () => {
    const few = set.patterns.filter(({ pattern: { examples } }) => examples.hits.length < 2 || examples.misses.length < 2);
    expect(few.map(({ pattern }) => pattern.id)).toEqual([]);
  });

  it('never address the holder of an account that looks like a mule', () => {
    const telling = set.patterns.filter(({ pattern }) => pattern.side === 'mule' && pattern.audience.includes('enterprise'));
    expect(telling).toEqual([]);
  });

  it('advise the duty officers on such an account, never its holder', () => {
    const talking = set.patterns.filter(
      ({ pattern: { side, advice } }) =>
        side === 'mule' &&
        !(
          /^(供|（对持有人不单独提示|大额交易由开户行)/.test(advice.zh) &&
          /^(For (the )?(bank|centre)|Not shown|The bank reports)/.test(advice.en)
        ),
    );
    expect(talking.map(({ pattern }) => pattern.id)).toEqual([]);
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
