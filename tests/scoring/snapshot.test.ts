import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dayNumber } from '../../src/domain/bank-day.js';
import { referenceSchema } from '../../src/domain/reference.js';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { createEngine, type ScoringEngine } from '../../src/scoring/engine.js';
import { readTransaction } from '../../src/scoring/reader.js';
import type { RestoredTree } from '../../src/scoring/snapshot-state.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { simulateBankDay } from '../../src/simulate/bank-day.js';
import { compileOrThrow, shippedPatterns } from '../support/patterns.js';
import { arbitraryStream, asking, chunksOf, createEngines, type Item, longHistory, restored } from './snapshot-support.js';

const askingSet = compileOrThrow(asking);
const shippedSet = compileOrThrow(shippedPatterns());

describe('an engine with the saved state of another', () => {
  it('goes on as the other would have, which saving does not change', () => {
    fc.assert(
      fc.property(
        arbitraryStream,
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.nat(119), { minLength: 1, maxLength: 3 }),
        (items, partitions, cuts) => {
          const quiet = createEngines(askingSet, partitions);
          const expected = items.map((item) => quiet.take(item));
          const saving = createEngines(askingSet, partitions);
          items.forEach((item, i) => {
            if (cuts.includes(i)) {
              const other = createEngines(askingSet, partitions, saving.save().map(restored));
              expect(items.slice(i).map((rest) => other.take(rest))).toEqual(expected.slice(i));
            }
            expect(saving.take(item)).toEqual(expected[i]);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('goes on in the same way with all patterns that ship, on a bank day with planted frauds', () => {
    const day = bankDay();
    const quiet = createEngines(shippedSet, 2);
    const expected = day.map((item) => quiet.take(item));
    const hits = expected.reduce((sum, said) => sum + (JSON.parse(said) as { hits: unknown[] }).hits.length, 0);
    expect(hits).toBeGreaterThan(100);
    const saving = createEngines(shippedSet, 2);
    const cuts = [0.2, 0.5, 0.8].map((share) => Math.floor(day.length * share));
    day.forEach((item, i) => {
      if (cuts.includes(i)) {
        const other = createEngines(shippedSet, 2, saving.save().map(restored));
        for (let at = i; at < day.length; at++) if (other.take(day[at]!) !== expected[at]) expect(at).toBe('as before');
      }
      saving.take(item);
    });
  });

  it('goes on in the same way where much was forgotten before and is forgotten afterwards', () => {
    const [engine, other] = [createEngine(askingSet), createEngine(askingSet)];
    const all = [...longHistory(30_000, 1_500, 2)];
    const cut = 21_000;
    takeQuietly(engine, all.slice(0, cut));
    other.load(restored(chunksOf(engine)));
    const view = new TransactionView();
    const hitsOf = (one: ScoringEngine, bytes: Uint8Array, i: number): Hit[] => {
      const hits: Hit[] = [];
      readTransaction(bytes, 0, bytes.length, view);
      // Each hit is dear: the state is asked now and then.
      one.score(view, role.debit | role.credit, 0, 5, i % 40 === 0 ? hits : null);
      return hits;
    };
    let hits = 0;
    all.slice(cut).forEach((bytes, i) => {
      const expected = hitsOf(engine, bytes, i);
      hits += expected.length;
      expect(hitsOf(other, bytes, i)).toEqual(expected);
    });
    expect(hits).toBeGreaterThan(500);
    expect(isDeepStrictEqual(restored(chunksOf(other)), restored(chunksOf(engine)))).toBe(true);
  });

  it('gives the same state again when it is saved at once', () => {
    fc.assert(
      fc.property(arbitraryStream, (items) => {
        const engines = createEngines(askingSet, 1);
        for (const item of items) engines.take(item);
        const [chunks] = engines.save();
        const other = createEngine(askingSet);
        other.load(restored(chunks!));
        expect(isDeepStrictEqual(restored(chunksOf(other)), restored(chunks!))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('counts what is in it as the other does', () => {
    const engines = createEngines(askingSet, 1);
    for (const item of fc.sample(arbitraryStream, { seed: 1, numRuns: 1 })[0]!) engines.take(item);
    const [chunks] = engines.save();
    const [one, other] = [createEngine(askingSet), createEngine(askingSet)];
    one.load(restored(chunks!));
    other.load(restored(chunksOf(one)));
    const { bytes, ...stats } = one.stats();
    expect(stats.legs).toBeGreaterThan(20);
    expect(other.stats()).toEqual({ bytes, ...stats });
  });

  it('is refused while forwards wait to be told', () => {
    const engine = createEngine(askingSet, { owns: () => false });
    engine.takeReference(
      referenceSchema.parse({ type: 'profile', id: 'p', time: '2026-07-01T08:00:00+08:00', account: '1000', legalRep: '甲' }),
      (key) => key === '1000' || key.startsWith('legal-rep'),
      0,
      null,
    );
    expect(() => engine.save()).toThrow(/drained/);
    expect(engine.drainForwards().length).toBeGreaterThan(0);
    expect(() => engine.save()).not.toThrow();
  });
});

describe('no part of the state can be left out', () => {
  const fresh = restored(chunksOf(createEngine(askingSet)));
  const streams = fc.sample(arbitraryStream, { seed: 7, numRuns: 40 });
  const states = streams.map((items) => {
    const engines = createEngines(askingSet, 1);
    for (const item of items.slice(0, Math.floor(items.length * 0.6))) engines.take(item);
    return engines.save()[0]!;
  });
  const statesAndOld = [
    ...statesOf([...longHistory(30_000, 3_000, 2)]),
    ...statesOf([...longHistory(16_000, 300, 4)]),
    ...states,
  ];

  // When room was made last shows only after thousands of transactions.
  const components = Object.keys(fresh).filter((name) => name !== 'clock');
  for (const name of components) {
    it(`without ${name} other things come out, or nothing at all`, () => {
      const isNoticed = streams.some((items, i) => {
        const rest = items.slice(Math.floor(items.length * 0.6));
        const whole = createEngines(askingSet, 1, [restored(states[i]!)]);
        try {
          // Tables that do not belong together may lead in circles.
          return within(() => {
            const other = createEngines(askingSet, 1, [replaced(restored(states[i]!), [name], fresh)]);
            return rest.some((item) => whole.take(item) !== other.take(item));
          }, 2_000);
        } catch {
          return true;
        }
      });
      expect(isNoticed).toBe(true);
    });
  }

  for (const path of partsOf(fresh)) {
    it(`${path.join('.')} is taken over`, () => {
      const isNoticed = statesAndOld.some((state) => {
        const mixed = replaced(restored(state), path, fresh);
        try {
          // Tables that do not belong together may lead in circles.
          return within(() => {
            const other = createEngine(askingSet);
            other.load(mixed);
            return !isDeepStrictEqual(restored(chunksOf(other)), restored(state));
          }, 2_000);
        } catch {
          return true;
        }
      });
      expect(isNoticed).toBe(true);
    });
  }
});

describe('a state that is not what it was', () => {
  const whole = createEngines(askingSet, 1);
  for (const item of fc.sample(arbitraryStream, { seed: 3, numRuns: 1 })[0]!) whole.take(item);
  const [chunks] = whole.save();

  it('is refused where a chunk is missing, cut off, or was put in front', () => {
    expect(chunks!.length).toBeGreaterThan(2);
    for (let i = 0; i < chunks!.length; i++)
      expect(() => restored(chunks!.toSpliced(i, 1)), `without ${i}`).toThrow(/saved state/);
    expect(() => restored(chunks!.map((chunk) => chunk.subarray(0, chunk.length >>> 1)))).toThrow(/saved state/);
    expect(() => restored(chunks!.toReversed())).toThrow(/saved state/);
  });

  it('is taken in any order of its chunks but for the first', () => {
    const [first, ...rest] = chunks!;
    expect(restored([first!, ...rest.toReversed()])).toEqual(restored(chunks!));
  });

  it('is refused where a part is missing, unknown or of another type', () => {
    const state = restored(chunks!);
    const { legs: _, ...less } = state;
    for (const wrong of [
      less,
      { ...state, more: 1 },
      { ...state, clock: { latestMs: '1', sinceSweep: 1 } },
      { ...state, pairs: state['rows']! },
    ])
      expect(() => createEngine(askingSet).load(wrong)).toThrow(/saved by another release/);
  });
});

/** Of an engine, every 4,000 transactions. */
function statesOf(transactions: readonly Uint8Array[]): Uint8Array[][] {
  const engine = createEngine(askingSet);
  return Array.from({ length: transactions.length / 4_000 }, (_, i) => {
    takeQuietly(engine, transactions.slice(i * 4_000, (i + 1) * 4_000));
    return chunksOf(engine);
  });
}

function takeQuietly(engine: ScoringEngine, transactions: Iterable<Uint8Array>): void {
  const view = new TransactionView();
  for (const bytes of transactions) {
    readTransaction(bytes, 0, bytes.length, view);
    engine.score(view, role.debit | role.credit, 0, 5, null);
  }
}

/** Throws where the work takes longer. */
function within<T>(work: () => T, timeoutMs: number): T {
  return runInNewContext('work()', { work }, { timeout: timeoutMs }) as T;
}

function bankDay(): Item[] {
  const lines = simulateBankDay({
    accounts: 1_500,
    transactions: 6_000,
    seed: 5,
    hasReferences: true,
    day: dayNumber(Date.parse('2026-07-01T00:00:00+08:00')),
  });
  return Array.from(lines, ({ json }): Item => {
    const value = JSON.parse(Buffer.from(json).toString()) as object;
    return 'type' in value ? { reference: referenceSchema.parse(value) } : { transaction: json };
  });
}

/** Parts at the first two levels: components, and theirs. */
function partsOf(state: RestoredTree): string[][] {
  const isTree = (value: unknown): value is RestoredTree =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  return Object.entries(state).flatMap(([name, value]) => {
    if (!isTree(value) || Object.keys(value).length === 0) return [[name]];
    return [[name], ...Object.keys(value).map((inner) => [name, inner])];
  });
}

function replaced(state: RestoredTree, [name, inner]: readonly string[], by: RestoredTree): RestoredTree {
  const own =
    inner === undefined ? by[name!]! : { ...(state[name!] as RestoredTree), [inner]: (by[name!] as RestoredTree)[inner]! };
  // Each engine owns what it is given: the empty one's tables are used many times.
  return structuredClone({ ...state, [name!]: own });
}
