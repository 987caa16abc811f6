/**
 * Seeded randomness. The same seed gives the same numbers on every machine: 32-bit integer arithmetic only
 * (sfc32 by Chris Doty-Humphrey, from PractRand; the hash is the MurmurHash3 finaliser).
 */
export interface Random {
  /** 0 ≤ x < 1, in steps of 2^-32. */
  unit(): number;
  /** An integer, 0 ≤ x < bound. */
  below(bound: number): number;
  /** An integer, min ≤ x ≤ max. */
  between(min: number, max: number): number;
  /** A number, min ≤ x < max. */
  within(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
}

export function createRandom(seed: number): Random {
  let a = hash32(seed, 1);
  let b = hash32(seed, 2);
  let c = hash32(seed, 3);
  let counter = 1;

  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  }
  for (let i = 0; i < 12; i++) next();

  const unit = (): number => next() / 4_294_967_296;
  const below = (bound: number): number => Math.floor(unit() * bound);
  return {
    unit,
    below,
    between: (min, max) => min + below(max - min + 1),
    within: (min, max) => min + unit() * (max - min),
    chance: (probability) => unit() < probability,
    pick: (items) => itemAt(items, below(items.length)),
  };
}

/** A well mixed unsigned 32-bit number that depends on nothing but its arguments. */
export function hash32(a: number, b: number, c = 0): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35) ^ Math.imul(c + 0x165667b1, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The item at `index`, counted round and round. */
export function itemAt<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length];
  if (item === undefined) throw new RangeError('cannot pick from an empty list');
  return item;
}
