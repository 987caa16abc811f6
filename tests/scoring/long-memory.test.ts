import { describe, expect, it } from 'vitest';
import { formatShanghai } from '../../src/domain/bank-day.js';
import type { Hit } from '../../src/domain/hit.js';
import type { Reference } from '../../src/domain/reference.js';
import { createEngine, type ScoringEngine } from '../../src/scoring/engine.js';
import { askingPattern } from '../support/pattern-text.js';
import { compileOrThrow } from '../support/patterns.js';
import { scoreOne } from '../support/score-one.js';

const dayMs = 86_400_000;
const oldMs = Date.parse('2024-03-01T10:00:00+08:00');
const newMs = Date.parse('2026-07-01T10:00:00+08:00');

function engineFor(when: string): ScoringEngine {
  return createEngine(compileOrThrow([{ file: 'T01.yaml', text: askingPattern({ on: 'debit', when }) }]));
}

function pay(engine: ScoringEngine, timeMs: number, payer: string, payee: string): Hit[] {
  return scoreOne(engine, {
    id: `${payer}-${payee}-${timeMs}`,
    time: formatShanghai(timeMs),
    amountFen: 100,
    payer: { account: payer, kind: 'corporate' },
    payee: { account: payee, kind: 'corporate' },
  });
}

describe('an account whose payments are filled in long after those of others', () => {
  it('is asked about as if it were alone: what others do takes nothing of its days from it', () => {
    const asked = ['newPayee("180d")', 'distinct(debit, "24h") == 10', 'pairCount(debit, "24h") == 2'];
    const known = (others: number): boolean[] =>
      asked.map((when) => {
        const engine = engineFor(when);
        for (let n = 0; n < 10; n++) pay(engine, oldMs + n * 1_000, '41000001', `4200000${n}`);
        for (let n = 0; n < others; n++) pay(engine, newMs + n, `5100${n}`, `5200${n}`);
        return pay(engine, oldMs + 60_000, '41000001', '42000003').length > 0;
      });
    expect(known(0)).toEqual([false, true, true]);
    expect(known(5_000)).toEqual([false, true, true]);
  });

  it('is forgotten with its payments once nothing keeps them', () => {
    const engine = engineFor('newPayee("180d")');
    const pairsOf = (round: number): number => {
      for (let n = 0; n < 6_000; n++) pay(engine, oldMs + round * 500 * dayMs + n, `41000${n}`, `42000${round}${n}`);
      return engine.stats().pairs;
    };
    const first = pairsOf(0);
    expect(pairsOf(1)).toBeLessThan(first * 2.1);
    expect(pairsOf(2)).toBeLessThan(first * 2.1);
    expect(pairsOf(3)).toBeLessThan(first * 2.1);
  });
});

describe('the list of case accounts', () => {
  it('may hold names as long as its schema allows: they are nobody’s account and stop no record', () => {
    const engine = engineFor('other in list("case-accounts") || self.caseLevel >= 0');
    const list = (entries: string[]): Reference => ({
      id: 'L1',
      type: 'list',
      time: formatShanghai(oldMs),
      list: 'case-accounts',
      action: 'add',
      entries,
    });
    const take = (entries: string[]): void => engine.takeReference(list(entries), () => true, 0, []);
    expect(() => take(['郑州某某商贸有限公司'.repeat(12), '62220001'])).not.toThrow();
    expect(pay(engine, oldMs + 1_000, '41000001', '62220001')).toHaveLength(1);
    expect(engine.stats().accounts).toBe(2);
  });
});
