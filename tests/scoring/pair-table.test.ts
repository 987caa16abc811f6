import { describe, expect, it } from 'vitest';
import { pairColumn, PairTable, pairWord } from '../../src/scoring/pair-table.js';
import { chunksOf, restored } from './snapshot-support.js';

const subjects = 40;
const others = 60;

/** Every subject pays every counterparty at one instant; no single legs are kept. */
function payAll(pairs: PairTable, timeMs: number, deadBeforeMs: number, from = 0): Map<string, number> {
  const known = new Map<string, number>();
  for (let subject = 0; subject < subjects; subject++)
    for (let other = from; other < from + others; other++) {
      const pair = pairs.find(subject, other, deadBeforeMs);
      pairs.numbers[pair * pairs.width + pairColumn.lastDebitMs] = timeMs;
      known.set(`${subject}/${other}`, pair);
    }
  return known;
}

function expectAllKnown(pairs: PairTable, known: ReadonlyMap<string, number>, timeMs: number): void {
  expect(new Set(known.values()).size).toBe(known.size);
  for (const [key, pair] of known) {
    const [subject, other] = key.split('/').map(Number);
    expect(pairs.known(subject!, other!)).toBe(pair);
    expect(pairs.otherOf(pair)).toBe(other);
    expect(pairs.lastMs(pair, true)).toBe(timeMs);
  }
}

describe('a table of pairs', () => {
  it('finds every pair again while it grows', () => {
    const pairs = new PairTable(2, true);
    const known = payAll(pairs, 1_000, -Infinity);
    expect(pairs.size).toBe(subjects * others);
    expectAllKnown(pairs, known, 1_000);
  });

  it('takes the rows of dead pairs again, and none that are alive', () => {
    const pairs = new PairTable(2, true);
    payAll(pairs, 1_000, -Infinity);
    const before = pairs.bytesUsed();
    const living = payAll(pairs, 5_000, 2_000, others);
    const younger = payAll(pairs, 5_000, 2_000, others * 2);
    expectAllKnown(pairs, new Map([...living, ...younger]), 5_000);
    expect(pairs.size).toBeLessThan(subjects * others * 3);
    expect(pairs.bytesUsed()).toBeLessThanOrEqual(before * 2);
  });

  it('keeps a dead pair while one of its legs is kept', () => {
    const pairs = new PairTable(2, true);
    const old = payAll(pairs, 1_000, -Infinity);
    const pair = old.get('7/7')!;
    pairs.words[pair * pairs.width * 2 + pairWord.lastLeg] = 123;
    payAll(pairs, 5_000, 2_000, others);
    payAll(pairs, 5_000, 2_000, others * 2);
    expect(pairs.known(7, 7)).toBe(pair);
    expect(pairs.words[pair * pairs.width * 2 + pairWord.lastLeg]).toBe(123);
  });

  it('goes on from a saved state, rows to be taken again included', () => {
    const pairs = new PairTable(2, true);
    payAll(pairs, 1_000, -Infinity);
    const living = payAll(pairs, 5_000, 2_000, others);
    const state = restored(chunksOf(pairs.snapshot));
    expect((state['spare'] as Int32Array).length).toBeGreaterThan(0);
    const taken = new PairTable(2, true);
    taken.snapshot.load(state);
    expect(taken.size).toBe(pairs.size);
    const younger = payAll(taken, 5_000, 2_000, others * 2);
    expectAllKnown(taken, new Map([...living, ...younger]), 5_000);
  });
});
