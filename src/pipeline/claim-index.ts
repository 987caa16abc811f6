import { dayNumber } from '../domain/bank-day.js';

/**
 * Claims in memory: for the 64-bit hash of an identity what its record said, which attempt claimed it and on which day.
 * Typed arrays, 24 bytes a place. Bounded: past `claimsMax` the oldest quarter is forgotten, and `forgottenMs` says up to when.
 */
export interface ClaimIndex {
  /** True where the identity is known; what is known stands in `found` until the next call. */
  find(low: number, high: number): boolean;
  readonly found: FoundClaim;
  /** Takes a claim in, in place of an older one of the same identity. */
  set(low: number, high: number, contentLow: number, contentHigh: number, attempt: number, receivedAtMs: number): void;
  /** Claims that came in after this instant are all held; -Infinity while nothing was forgotten. */
  readonly forgottenMs: number;
  readonly size: number;
  bytesUsed(): number;
}

export interface FoundClaim {
  contentLow: number;
  contentHigh: number;
  attempt: number;
  /** Day number on which it came in. */
  day: number;
}

const generationsMax = 4;

export function createClaimIndex(claimsMax: number): ClaimIndex {
  const perGeneration = Math.max(1, Math.floor(claimsMax / generationsMax));
  /** The youngest first. */
  let generations = [createGeneration()];
  let forgottenMs = -Infinity;
  const found: FoundClaim = { contentLow: 0, contentHigh: 0, attempt: 0, day: 0 };

  return {
    found,
    find(low, high) {
      const second = low === 0 && high === 0 ? 1 : high;
      for (const generation of generations) if (generation.find(low, second, found)) return true;
      return false;
    },
    set(low, high, contentLow, contentHigh, attempt, receivedAtMs) {
      // All zero marks a free place.
      const second = low === 0 && high === 0 ? 1 : high;
      generations[0]!.set(low, second, contentLow, contentHigh, attempt, receivedAtMs);
      if (generations[0]!.size < perGeneration) return;
      generations = [createGeneration(), ...generations];
      if (generations.length <= generationsMax) return;
      forgottenMs = Math.max(forgottenMs, generations.pop()!.latestMs);
    },
    get forgottenMs() {
      return forgottenMs;
    },
    get size() {
      return generations.reduce((sum, generation) => sum + generation.size, 0);
    },
    bytesUsed: () => generations.reduce((sum, generation) => sum + generation.bytesUsed(), 0),
  };
}

/** In 32-bit words: identity low and high, content low and high, attempt, day. */
const width = 6;
const placesMin = 1 << 10;

function createGeneration() {
  let places = placesMin;
  let words = new Int32Array(places * width);
  let size = 0;
  let latestMs = -Infinity;

  /** Where the identity stands, or the free place where it would. */
  function rowOf(low: number, high: number): number {
    for (let at = low & (places - 1); ; at = (at + 1) & (places - 1)) {
      const row = at * width;
      if (words[row] === low && words[row + 1] === high) return row;
      if (words[row] === 0 && words[row + 1] === 0) return row;
    }
  }

  function grow(): void {
    const old = words;
    places *= 2;
    words = new Int32Array(places * width);
    for (let from = 0; from < old.length; from += width) {
      if (old[from] === 0 && old[from + 1] === 0) continue;
      const to = rowOf(old[from]!, old[from + 1]!);
      for (let i = 0; i < width; i++) words[to + i] = old[from + i]!;
    }
  }

  return {
    get size() {
      return size;
    },
    get latestMs() {
      return latestMs;
    },
    find(low: number, high: number, found: FoundClaim): boolean {
      const row = rowOf(low, high);
      if (words[row] === 0 && words[row + 1] === 0) return false;
      found.contentLow = words[row + 2]!;
      found.contentHigh = words[row + 3]!;
      found.attempt = words[row + 4]!;
      found.day = words[row + 5]!;
      return true;
    },
    set(low: number, high: number, contentLow: number, contentHigh: number, attempt: number, receivedAtMs: number): void {
      const row = rowOf(low, high);
      if (words[row] === 0 && words[row + 1] === 0) size++;
      words[row] = low;
      words[row + 1] = high;
      words[row + 2] = contentLow;
      words[row + 3] = contentHigh;
      words[row + 4] = attempt;
      words[row + 5] = dayNumber(receivedAtMs);
      if (receivedAtMs > latestMs) latestMs = receivedAtMs;
      if (size * 3 > places * 2) grow();
    },
    bytesUsed: () => words.byteLength,
  };
}
