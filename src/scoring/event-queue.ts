import { widerLength } from './growth.js';
import { kept, snapshotted, type Snapshotted } from './snapshot-state.js';

/** The events of all named windows in one place, 40 bytes each; whoever owns a queue links them. An event is named by its number. */
export interface EventQueue {
  take(timeMs: number, amountFen: number, slot: number, other: number, region: number): number;
  release(event: number): void;
  timeMs(event: number): number;
  amountFen(event: number): number;
  slot(event: number): number;
  other(event: number): number;
  /** Six digits, 0 unknown. */
  region(event: number): number;
  next(event: number): number;
  setNext(event: number, next: number): void;
  previous(event: number): number;
  setPrevious(event: number, previous: number): void;
  /** The event before it of the same counterparty, where the window keeps track of them. */
  previousOfPair(event: number): number;
  setPreviousOfPair(event: number, previous: number): void;
  /** Adds an amount to the event and one to its `other`. */
  grow(event: number, amountFen: number): void;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

/** An event is two doubles and six words. */
const numberWidth = 5;
const wordWidth = 10;
const word = { slot: 4, other: 5, region: 6, next: 7, previous: 8, previousOfPair: 9 } as const;

export function createEventQueue(): EventQueue {
  let capacity = 1024;
  let numbers = new Float64Array(capacity * numberWidth);
  let words = new Int32Array(numbers.buffer);
  let used = 0;
  let free = -1;

  function place(): number {
    if (free >= 0) {
      const event = free;
      free = words[event * wordWidth + word.next]!;
      return event;
    }
    if (used === capacity) {
      capacity = widerLength(capacity);
      const wider = new Float64Array(capacity * numberWidth);
      wider.set(numbers);
      numbers = wider;
      words = new Int32Array(wider.buffer);
    }
    return used++;
  }

  return {
    take(timeMs, amountFen, slot, other, region) {
      const event = place();
      numbers[event * numberWidth] = timeMs;
      numbers[event * numberWidth + 1] = amountFen;
      words[event * wordWidth + word.slot] = slot;
      words[event * wordWidth + word.other] = other;
      words[event * wordWidth + word.region] = region;
      words[event * wordWidth + word.next] = -1;
      words[event * wordWidth + word.previousOfPair] = -1;
      return event;
    },
    release(event) {
      words[event * wordWidth + word.next] = free;
      free = event;
    },
    timeMs: (event) => numbers[event * numberWidth]!,
    amountFen: (event) => numbers[event * numberWidth + 1]!,
    slot: (event) => words[event * wordWidth + word.slot]!,
    other: (event) => words[event * wordWidth + word.other]!,
    region: (event) => words[event * wordWidth + word.region]!,
    next: (event) => words[event * wordWidth + word.next]!,
    setNext(event, next) {
      words[event * wordWidth + word.next] = next;
    },
    previous: (event) => words[event * wordWidth + word.previous]!,
    setPrevious(event, previous) {
      words[event * wordWidth + word.previous] = previous;
    },
    previousOfPair: (event) => words[event * wordWidth + word.previousOfPair]!,
    setPreviousOfPair(event, previous) {
      words[event * wordWidth + word.previousOfPair] = previous;
    },
    grow(event, amountFen) {
      numbers[event * numberWidth + 1]! += amountFen;
      words[event * wordWidth + word.other]! += 1;
    },
    bytesUsed: () => numbers.byteLength,
    snapshot: snapshotted(
      () => ({ numbers: kept(numbers, used * numberWidth), used, free }),
      (state) => {
        ({ numbers, used, free } = state);
        capacity = numbers.length / numberWidth;
        words = new Int32Array(numbers.buffer);
      },
    ),
  };
}
