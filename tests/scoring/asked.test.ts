import { describe, expect, it } from 'vitest';
import type { Hit } from '../../src/domain/hit.js';
import { createAsked, type PatternStats } from '../../src/scoring/asked.js';
import { createEngine } from '../../src/scoring/engine.js';
import type { Evaluation } from '../../src/scoring/evaluation.js';
import type { CompiledPattern } from '../../src/scoring/pattern-set.js';
import { compileOrThrow } from '../support/patterns.js';
import { askingPattern } from '../support/pattern-text.js';
import { scoreOne } from '../support/score-one.js';

const pattern = (id: string, state: string, when: string, extra = ''): { file: string; text: string } => ({
  file: `${id}.yaml`,
  text: askingPattern({ id, state, when, extra }),
});

function pay(engine: ReturnType<typeof createEngine>, amountFen: number, hour: number): Hit[] {
  return scoreOne(engine, {
    id: `t-${amountFen}-${hour}`,
    time: `2026-07-01T${String(hour).padStart(2, '0')}:00:00+08:00`,
    amountFen,
    payer: { account: '1000', kind: 'corporate' },
    payee: { account: '2000', kind: 'corporate' },
  });
}

describe('a pattern in shadow', () => {
  it('counts which part of its condition was the only one that did not hold', () => {
    const engine = createEngine(compileOrThrow([pattern('T01', 'shadow', 'tx.amountFen >= 1000 && tx.hour >= 22 && tx.isCny')]));
    expect(pay(engine, 500, 9)).toEqual([]);
    expect(pay(engine, 1_000, 10)).toEqual([]);
    expect(pay(engine, 2_000, 11)).toEqual([]);
    expect(pay(engine, 500, 22)).toEqual([]);
    expect(pay(engine, 1_000, 23)).toMatchObject([{ pattern: 'T01', state: 'shadow' }]);
    const [stats] = engine.patternStats();
    expect(stats).toMatchObject({ id: 'T01', asked: 5, held: 1, faults: 0 });
    expect(Object.fromEntries(stats!.nearMisses)).toEqual({ 'tx.hour >= 22': 2, 'tx.amountFen >= 1000': 1 });
  });
});

describe('the strength of a hit', () => {
  it('is its score, kept between 0 and 1; unknown falls back to the severity', () => {
    const graded = (strength: string) =>
      pay(createEngine(compileOrThrow([pattern('T01', 'active', 'tx.amountFen > 0', `strength: ${strength}`)])), 4_000, 9)[0]
        ?.score;
    expect(graded('tx.amountFen / 10000')).toBe(0.4);
    expect(graded('tx.amountFen')).toBe(1);
    expect(graded('"-1"')).toBe(0);
    expect(graded('self.balanceFen')).toBe(0.3);
  });
});

describe('a comparison with an unknown number', () => {
  const holds = (when: string) => pay(createEngine(compileOrThrow([pattern('T01', 'active', when)])), 4_000, 9).length > 0;

  it.each(['==', '!=', '<', '<=', '>', '>='])('%s is false, whichever side it stands on', (operator) => {
    expect(holds(`self.balanceFen ${operator} 5`)).toBe(false);
    expect(holds(`5 ${operator} self.balanceFen`)).toBe(false);
    expect(holds(`self.balanceFen ${operator} other.balanceFen`)).toBe(false);
  });

  it('!= tells known numbers apart', () => {
    expect(holds('tx.amountFen != 4001')).toBe(true);
    expect(holds('tx.amountFen != 4000')).toBe(false);
    expect(holds('tx.amountFen != 4000.5 && !(tx.amountFen + 1 != 4001)')).toBe(true);
    expect(holds('self.kind != "personal" && tx.isCny != false && tx.remark != "x"')).toBe(true);
  });
});

describe('what a condition costs', () => {
  it('is measured on one leg in so many, without what the clock takes', () => {
    const readingNs = 40;
    const conditionNs = 25;
    let nowNs = 0;
    let readings = 0;
    // Five pairs of readings say what a reading takes; between the next two lies the condition.
    const measure = (): number => {
      readings++;
      const isAfterCondition = readings % 12 === 0;
      return (nowNs += readingNs + (isAfterCondition ? conditionNs : 0));
    };
    const set = compileOrThrow([pattern('T01', 'active', 'tx.amountFen > 0')]);
    const engine = createEngine(set, { measure, measuredEvery: 4 });
    for (let hour = 1; hour <= 12; hour++) pay(engine, 1_000 + hour, hour);
    expect(readings).toBe(3 * 12);
    expect(engine.patternStats()[0]!.nanoseconds).toBe(3 * 4 * conditionNs);
  });
});

describe('a pattern that throws', () => {
  it('is stopped alone: the others are asked on the same leg and ever after', () => {
    const set = compileOrThrow(['T01', 'T02', 'T03'].map((id) => pattern(id, 'active', 'tx.amountFen > 0')));
    const [first, second, third] = set.patterns;
    const broken: CompiledPattern = { ...second!, code: '(leg.nothing.there > 0)' };
    const stats = new Map<CompiledPattern, PatternStats>(
      [first!, broken, third!].map(({ pattern: { id, version }, state }, i) => [
        [first!, broken, third!][i]!,
        { id, version, state, asked: 0, held: 0, faults: 0, nanoseconds: 0, near: [] },
      ]),
    );
    const asked = createAsked([first!, broken, third!], {
      helpers: set.helpers,
      groupOf: () => 0,
      statsOf: (one) => stats.get(one)!,
    });
    const leg = { view: { amountFen: 5 }, self: { kind: 1 } } as unknown as Evaluation;
    for (let i = 0; i < 2; i++) {
      const found: string[] = [];
      asked.evaluate(leg, ({ pattern: { id } }) => found.push(id));
      expect(found).toEqual(['T01', 'T03']);
    }
    expect(stats.get(broken)?.faults).toBe(1);
  });
});
