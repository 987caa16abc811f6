import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignPartitions, decodeClaim, encodeClaim, type Claim } from '../../../src/adapters/log/kafka/assignment.js';

const claim = (member: string, owned: number[] = [], generation = 1): Claim => ({ member, owned, generation });
const shown = (partitions: number, ...claims: Claim[]) =>
  Object.fromEntries([...assignPartitions(partitions, claims)].sort(([a], [b]) => a.localeCompare(b)));

/** Rounds until nobody has to close anything: each closes what it was not given and joins again. */
function settle(partitions: number, start: readonly Claim[]) {
  let claims = start;
  for (let round = 1; round < 10; round++) {
    const given = assignPartitions(partitions, claims);
    const next = claims.map(({ member }) => ({ member, owned: given.get(member) ?? [], generation: 100 + round }));
    const everyone = next.flatMap(({ owned }) => owned);
    if (new Set(everyone).size !== everyone.length) throw new Error('a partition is given to two');
    if (everyone.length === partitions && round > 1) return { rounds: round, claims: next };
    claims = next;
  }
  throw new Error('the group does not settle');
}

describe('who gets which partition', () => {
  it('gives everything to the only member, and halves it for two', () => {
    expect(shown(4, claim('a'))).toEqual({ a: [0, 1, 2, 3] });
    expect(shown(4, claim('a'), claim('b'))).toEqual({ a: [0, 2], b: [1, 3] });
  });

  it('leaves partitions where they are when they are even', () => {
    expect(shown(4, claim('a', [1, 2]), claim('b', [0, 3]))).toEqual({ a: [1, 2], b: [0, 3] });
  });

  it('takes from the richest no more than is too much, and gives it away only when it is closed', () => {
    expect(shown(4, claim('a', [0, 1, 2, 3]), claim('b'))).toEqual({ a: [0, 1], b: [] });
    expect(shown(4, claim('a', [0, 1], 2), claim('b', [], 2))).toEqual({ a: [0, 1], b: [2, 3] });
  });

  it('believes the youngest of two that claim the same, and gives the older one nothing of it', () => {
    expect(shown(2, claim('a', [0, 1], 3), claim('zombie', [0, 1], 2))).toEqual({ a: [0], zombie: [] });
  });

  it('takes a claim of another program for none', () => {
    expect(decodeClaim('a', Buffer.from('rubbish'))).toEqual({ member: 'a', owned: [], generation: -1 });
    expect(decodeClaim('a', null)).toEqual({ member: 'a', owned: [], generation: -1 });
    expect(decodeClaim('a', encodeClaim({ owned: [1], generation: 7 }))).toEqual({ member: 'a', owned: [1], generation: 7 });
  });

  it('settles evenly in few rounds whatever is claimed, never gives a partition to two, and moves no more than needed', () => {
    const members = fc.array(fc.record({ owned: fc.uniqueArray(fc.nat(23)), generation: fc.nat(5) }), {
      minLength: 1,
      maxLength: 7,
    });
    const check = fc.property(fc.integer({ min: 1, max: 24 }), members, (partitions, made) => {
      const start = made.map((one, i) => claim(`m${i}`, one.owned, one.generation));
      const { rounds, claims } = settle(partitions, start);
      expect(rounds).toBeLessThanOrEqual(3);
      const counts = claims.map(({ owned }) => owned.length);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      const again = assignPartitions(partitions, claims);
      for (const { member, owned } of claims) expect(again.get(member)).toEqual(owned);
    });
    fc.assert(check, { numRuns: 500 });
  });
});
