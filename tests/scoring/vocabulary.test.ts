import { describe, expect, it } from 'vitest';
import { compilePatternSet } from '../../src/scoring/pattern-set.js';
import { functions } from '../../src/scoring/vocabulary/vocabulary.js';
import { workingDays } from '../support/patterns.js';
import { askingPattern } from '../support/pattern-text.js';

/** A pattern that asks one expression on the occasion on which it may stand. */
function patternAsking(when: string, on: string): string {
  const extra = on === 'use' ? '' : "streams: { feePayments: { of: debit, when: 'tx.amountFen > 100' } }";
  return askingPattern({ subjects: 'corporate', on, when, extra });
}

function problemsOf(expression: string, on: string): readonly string[] {
  const result = compilePatternSet([{ file: 'T01.yaml', text: patternAsking(expression, on) }], workingDays);
  return result.kind === 'compiled' ? [] : result.problems.map(({ message }) => message);
}

describe('the language of patterns', () => {
  it.each(Object.entries(functions))('the example of %s may stand in a pattern', (_, { example, about }) => {
    const expression = /[<>=]|^(?!.*\bpercentile)[a-z]\w*\(.*\)$|\bin\b/.test(example) ? example : `${example} > 0`;
    expect(problemsOf(expression, about === 'arrival' || about === 'use' ? about : 'debit')).toEqual([]);
  });

  it.each([
    ['tx.amount > 5', 'tx.amountFen'],
    ['tx.amountFen > "5"', 'expected a number'],
    ['count(debit, "500d") > 5', 'at most "400d"'],
    ['distinct(debit, "60d") > 5', 'goes back 31 days'],
    ['pairCount(debit, "60d") > 5', 'kept for 31 days'],
    ['carried.hops > 2', 'only in patterns with on: arrival'],
    ['use.firms("24h") > 2', 'only in patterns with on: use'],
    ['profile(other).capitalFen > 2', 'profiles are known of the account itself'],
    ['profile(self).capital > 2', 'did you mean "capitalFen"'],
    ['changed(["sael"], "15d")', 'is no account change'],
    ['tx.amountFen in list("otc")', 'is never on a list'],
    ['other in list("OTC list")', 'the name of a list'],
    ['median(feePayments, "90d") > 5', 'expected debit, credit or any'],
    ['zscore(any, "2h", "30d") > 4', 'expected "1h" or "1d"'],
    ['now(debit)', 'expected a stream of the pattern'],
    ['recent("round", 500) > 4', 'from 2 to 100'],
    ['tx.remark.matches("(a+)+$")', 'unknown method'],
    ['toString(debit)', 'unknown function "toString"'],
    ['profile(self).constructor > 1', 'unknown field of a profile "constructor"'],
    ['tx.remark.toString("x")', 'unknown method "toString"'],
    ['params.constructor == "x"', 'unknown parameter "params.constructor"'],
    ['b > 1', 'unknown name "b"'],
    ['tx == tx', '"tx" is nothing by itself'],
    ['tx.amountFen > percentile(debit, 95, "90d")', 'expected a share from 0 to 1, found 95'],
    ['similar(credit, "7d", -0.1) > 3', 'expected a share from 0 to 1, found -0.1'],
    ['pairSimilar(credit, "7d", 5) > 3', 'expected a share from 0 to 1'],
    ['matched(credit, "7d", 5)', 'expected a share from 0 to 1'],
    ['knownName(92, "365d") > 3', 'expected a share from 0 to 1, found 92'],
    ['roundForeign(2)', 'expected a share from 0 to 1'],
  ])('%s is refused with a remedy', (expression, remedy) => {
    expect(problemsOf(expression, 'debit').join(' ')).toContain(remedy);
  });

  it('an expression of too many parts is refused', () => {
    expect(problemsOf(`${'1 + '.repeat(600)}1 > 0`, 'debit').join(' ')).toContain('more than 500 parts');
  });

  it('a shared thing has no legs to ask about', () => {
    expect(problemsOf('count(debit, "24h") > 1', 'use').join(' ')).toContain('have no legs');
  });
});
