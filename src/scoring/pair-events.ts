import { spread } from './byte-table.js';
import { kept, type Snapshotted, snapshotted } from './snapshot-state.js';

/** What a window holds of one counterparty: how many events, their sum, and the latest of them. Open addressing over one table. */
export interface PairEvents {
  /** Place of the counterparty (a number of an account) in the window's cell; -1 where it has no event there. */
  find(cell: number, other: number): number;
  /** Place with one more event, made on first sight. */
  add(cell: number, other: number, amountFen: number): number;
  /** One event less; true where it was the last one. Places change. */
  remove(cell: number, other: number, amountFen: number): boolean;
  count(place: number): number;
  sum(place: number): number;
  latest(place: number): number;
  setLatest(place: number, event: number): void;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const accountsMax = 2 ** 26;
/** A place: cell and counterparty as one number + 1 (0: free), the sum, and two words: count and latest event. */
const width = 3;
const keyAt = 0;
const sumAt = 1;
const countWord = 4;
const latestWord = 5;

export function createPairEvents(): PairEvents {
  let numbers = new Float64Array(256 * width);
  let words = new Int32Array(numbers.buffer);
  let mask = 255;
  let size = 0;

  function placeOf(key: number): number {
    let at = homeOf(key, mask);
    while (numbers[at * width] !== key && numbers[at * width] !== 0) at = (at + 1) & mask;
    return at;
  }

  function grow(): void {
    const old = numbers;
    mask = mask * 2 + 1;
    numbers = new Float64Array((mask + 1) * width);
    words = new Int32Array(numbers.buffer);
    for (let from = 0; from < old.length; from += width) {
      if (old[from + keyAt] === 0) continue;
      const to = placeOf(old[from + keyAt]!) * width;
      for (let i = 0; i < width; i++) numbers[to + i] = old[from + i]!;
    }
  }

  /** Frees a place: what stands behind it because of it moves up. */
  function freePlace(place: number): void {
    let free = place;
    for (let at = (place + 1) & mask; numbers[at * width] !== 0; at = (at + 1) & mask) {
      if (((at - homeOf(numbers[at * width]!, mask)) & mask) < ((at - free) & mask)) continue;
      numbers.copyWithin(free * width, at * width, at * width + width);
      free = at;
    }
    numbers[free * width] = 0;
    size--;
  }

  return {
    find(cell, other) {
      const place = placeOf(keyOf(cell, other));
      return numbers[place * width] === 0 ? -1 : place;
    },
    add(cell, other, amountFen) {
      const key = keyOf(cell, other);
      let place = placeOf(key);
      if (numbers[place * width] === 0) {
        if ((size + 1) * 4 > (mask + 1) * 3) {
          grow();
          place = placeOf(key);
        }
        size++;
        numbers[place * width + keyAt] = key;
        numbers[place * width + sumAt] = 0;
        words[place * width * 2 + countWord] = 0;
        words[place * width * 2 + latestWord] = -1;
      }
      numbers[place * width + sumAt]! += amountFen;
      words[place * width * 2 + countWord]!++;
      return place;
    },
    remove(cell, other, amountFen) {
      const place = placeOf(keyOf(cell, other));
      numbers[place * width + sumAt]! -= amountFen;
      if (--words[place * width * 2 + countWord]! > 0) return false;
      freePlace(place);
      return true;
    },
    count: (place) => words[place * width * 2 + countWord]!,
    sum: (place) => numbers[place * width + sumAt]!,
    latest: (place) => words[place * width * 2 + latestWord]!,
    setLatest(place, event) {
      words[place * width * 2 + latestWord] = event;
    },
    bytesUsed: () => numbers.byteLength,
    snapshot: snapshotted(
      () => ({ numbers: kept(numbers), size }),
      (state) => {
        ({ numbers, size } = state);
        words = new Int32Array(numbers.buffer);
        mask = numbers.length / width - 1;
      },
    ),
  };
}

const keyOf = (cell: number, other: number): number => cell * accountsMax + other + 1;

function homeOf(key: number, mask: number): number {
  const cell = Math.floor(key / accountsMax);
  return spread(Math.imul(cell, 0x9e3779b1 | 0) ^ (key - cell * accountsMax)) & mask;
}
