/**
 * Queues of the few legs that a window over a rare stream holds, one queue per subject and window, in time order. Most
 * subjects have none, and then such a window costs nothing: it need not walk over every leg of the subject.
 */
export interface EventQueues {
  /** Puts an event into the queue whose first and last place are in `row[head]` and `row[head + 2]`; its first time in `row[head + 1]`. */
  push(row: Float64Array, head: number, timeMs: number, amountFen: number, bits: number, slot: number, pair: number): void;
  /** Takes the first event out; what it was is in the fields below until the next call. */
  shift(row: Float64Array, head: number): void;
  amountFen: number;
  bits: number;
  slot: number;
  pair: number;
  bytesUsed(): number;
}

/** An event is two doubles and four words. */
const numberWidth = 4;
const wordWidth = 8;
const word = { bits: 4, slot: 5, pair: 6, next: 7 } as const;

export function createEventQueues(): EventQueues {
  let capacity = 1024;
  let numbers = new Float64Array(capacity * numberWidth);
  let words = new Int32Array(numbers.buffer);
  let used = 0;
  let free = -1;

  function take(): number {
    if (free >= 0) {
      const event = free;
      free = words[event * wordWidth + word.next]!;
      return event;
    }
    if (used === capacity) {
      capacity *= 2;
      const wider = new Float64Array(capacity * numberWidth);
      wider.set(numbers);
      numbers = wider;
      words = new Int32Array(wider.buffer);
    }
    return used++;
  }

  /** The last event that is not later than `timeMs`; -1 where all are. Only late events have to look for their place. */
  function before(row: Float64Array, head: number, timeMs: number): number {
    const last = row[head + 2]!;
    if (last < 0 || numbers[last * numberWidth]! <= timeMs) return last;
    let found = -1;
    for (
      let event = row[head]!;
      event >= 0 && numbers[event * numberWidth]! <= timeMs;
      event = words[event * wordWidth + word.next]!
    )
      found = event;
    return found;
  }

  const queues: EventQueues = {
    amountFen: 0,
    bits: 0,
    slot: 0,
    pair: 0,
    push(row, head, timeMs, amountFen, bits, slot, pair) {
      const event = take();
      const previous = before(row, head, timeMs);
      const next = previous < 0 ? row[head]! : words[previous * wordWidth + word.next]!;
      numbers[event * numberWidth] = timeMs;
      numbers[event * numberWidth + 1] = amountFen;
      words[event * wordWidth + word.bits] = bits;
      words[event * wordWidth + word.slot] = slot;
      words[event * wordWidth + word.pair] = pair;
      words[event * wordWidth + word.next] = next;
      if (previous >= 0) words[previous * wordWidth + word.next] = event;
      else {
        row[head] = event;
        row[head + 1] = timeMs;
      }
      if (next < 0) row[head + 2] = event;
    },
    shift(row, head) {
      const event = row[head]!;
      const next = words[event * wordWidth + word.next]!;
      queues.amountFen = numbers[event * numberWidth + 1]!;
      queues.bits = words[event * wordWidth + word.bits]!;
      queues.slot = words[event * wordWidth + word.slot]!;
      queues.pair = words[event * wordWidth + word.pair]!;
      words[event * wordWidth + word.next] = free;
      free = event;
      row[head] = next;
      row[head + 1] = next < 0 ? Infinity : numbers[next * numberWidth]!;
      if (next < 0) row[head + 2] = -1;
    },
    bytesUsed: () => numbers.byteLength,
  };
  return queues;
}
