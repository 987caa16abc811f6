import { dayMs, dayNumber, startOfDayMs } from '../domain/bank-day.js';
import { createEventQueue, type EventQueue } from './event-queue.js';
import { createPairEvents } from './pair-events.js';
import { column, type NamedWindow, type Plan, type StreamRef } from './plan.js';
import { snapshotOfAll, snapshotted, type Snapshotted } from './snapshot-state.js';
import type { SubjectRows } from './subject-rows.js';
import { createWindowDirectory } from './window-directory.js';
import { cell, cellWord, createWindowNodes, extremes, groupsOf, queueWord } from './window-nodes.js';

/**
 * Windows over named streams. Most subjects have no leg in most of them, so the windows of a stream exist only from its first event
 * on: a node in the subject's directory, with a queue of events that all of them share. What has left a window goes when somebody
 * asks or adds; so a leg that has nothing to do with it costs nothing.
 */
export interface NamedWindows {
  /** The leg (or closed day, or spent lot) joins the stream. `other`: number of the counterparty's account, -1 for none. */
  join(subject: Subject, stream: StreamRef, event: StreamEvent): void;
  /** Which stream a window is over: windows over the same stream share a number. */
  readonly groupOf: (window: number) => number;
  /** 32 bits of the streams that the subject has windows over: bit `b` of word `w` is number `w * 32 + b`. All others are empty. */
  has(subject: Subject, word: number): number;
  count(subject: Subject, window: number): number;
  sum(subject: Subject, window: number): number;
  distinct(subject: Subject, window: number): number;
  /** NaN where the window is empty. */
  max(subject: Subject, window: number): number;
  min(subject: Subject, window: number): number;
  /** Visits the events inside, latest first, until `visit` says false; at most `most`, and never more than `eventsVisitedMax`. */
  each(subject: Subject, window: number, visit: (events: EventQueue, event: number) => boolean, most?: number): void;
  /** The same of one counterparty, for windows that were planned so. */
  eachOfPair(subject: Subject, window: number, other: number, visit: (events: EventQueue, event: number) => boolean): void;
  countOfPair(subject: Subject, window: number, other: number): number;
  sumOfPair(subject: Subject, window: number, other: number): number;
  /** Time of the latest event that is not `exceptSlot`; -Infinity where there is none. */
  latestMs(subject: Subject, window: number, exceptSlot: number): number;
  /** Gives back the windows of one row that have been empty before `beforeMs` less their span; rows are taken in turn. */
  sweep(beforeMs: number, rowsMost: number): void;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

/** The row of a subject and the latest time it has seen. */
export interface Subject {
  readonly row: Float64Array;
  readonly base: number;
  readonly clockMs: number;
}

export interface StreamEvent {
  readonly timeMs: number;
  readonly amountFen: number;
  /** The leg it came from, for evidence; -1 for none. */
  readonly slot: number;
  readonly other: number;
  readonly region: number;
}

/** Bounds a walk over a window, so that a busy account costs no more than this per question. */
export const eventsVisitedMax = 4_096;

export function createNamedWindows(plan: Plan, rows: SubjectRows): NamedWindows {
  const { named } = plan;
  const groups = groupsOf(named);
  const events = createEventQueue();
  const directory = createWindowDirectory(groups.length);
  const nodes = createWindowNodes(named, groups);
  const ofPairs = createPairEvents();
  /** The memory of the nodes, which is replaced when it grows. */
  let { numbers, words } = nodes;
  const { cellAt } = nodes;
  const idsOf = groups.map(({ ids }) => ids);
  let sweepRow = 0;
  const groupOf = Int32Array.from(named, (_, id) => groups.findIndex(({ ids }) => ids.includes(id)));
  const groupIn = (isWanted: (stream: StreamRef) => boolean): number =>
    groups.findIndex(({ ids }) => isWanted(named[ids[0]!]!.stream));
  const byStream = plan.streams.map(({ index }) => groupIn((stream) => stream.index === index));
  const byBit = Array.from({ length: 8 }, (_, bit) => groupIn((stream) => stream.index < 0 && stream.bit === bit));
  /** Windows that slide: their span, Infinity for those that never end; NaN for the others. */
  const spanMs = Float64Array.from(named, ({ window, isByDay }) =>
    (window.slides && !isByDay) || window.spanMsMax === Infinity ? window.spanMsMax : Number.NaN,
  );
  /** Windows that move with the calendar day alone: where they begin, kept for the day. */
  const startDay = new Float64Array(named.length).fill(Number.NaN);
  const startOf = new Float64Array(named.length);
  /** Where the windows of the event in hand begin. */
  const fromMs = new Float64Array(named.length);

  function startMs(id: number, clockMs: number): number {
    const span = spanMs[id]!;
    if (!Number.isNaN(span)) return clockMs - span;
    const day = dayNumber(clockMs);
    if (startDay[id] !== day) {
      const { window, isByDay } = named[id]!;
      startDay[id] = day;
      startOf[id] = isByDay ? startOfDayMs(day - Math.round(window.spanMsMax / dayMs) + 1) - 1 : window.startMs(clockMs);
    }
    return startOf[id]!;
  }

  /** The oldest event leaves the window; in the queue it stays. */
  function shift(at: number, { isByDay, isPaired, keepsExtremes }: NamedWindow): void {
    const event = words[at * 2 + cellWord.first]!;
    const amountFen = events.amountFen(event);
    const next = events.next(event);
    words[at * 2 + cellWord.count]! -= isByDay ? events.other(event) : 1;
    numbers[at + cell.sum]! -= amountFen;
    if (keepsExtremes) {
      if (numbers[at + extremes.max] === amountFen) numbers[at + extremes.max] = Number.NaN;
      if (numbers[at + extremes.min] === amountFen) numbers[at + extremes.min] = Number.NaN;
    }
    if (isPaired) leavePair(at, event, next);
    setFirst(at, next);
  }

  function setFirst(at: number, event: number): void {
    words[at * 2 + cellWord.first] = event;
    numbers[at + cell.headMs] = event < 0 ? Infinity : events.timeMs(event);
  }

  function expire(at: number, id: number, beforeOrAtMs: number): void {
    if (numbers[at + cell.headMs]! > beforeOrAtMs) return;
    const planned = named[id]!;
    while (numbers[at + cell.headMs]! <= beforeOrAtMs) shift(at, planned);
  }

  /** Gives back the events that no window of the node holds any longer. */
  function trim(node: number, group: number): void {
    let head = words[node * 2 + queueWord.head]!;
    while (head >= 0 && !isFirst(node, group, head)) {
      const next = events.next(head);
      events.release(head);
      if (next < 0) words[node * 2 + queueWord.tail] = -1;
      else events.setPrevious(next, -1);
      head = next;
    }
    words[node * 2 + queueWord.head] = head;
  }

  /** Whether one of the node's windows begins with the event. */
  function isFirst(node: number, group: number, event: number): boolean {
    const ids = idsOf[group]!;
    for (let i = 0; i < ids.length; i++) if (words[(node + cellAt[ids[i]!]!) * 2 + cellWord.first] === event) return true;
    return false;
  }

  /** The window's cell with what is inside now, or -1. */
  function settled({ row, base, clockMs }: Subject, id: number): number {
    const group = groupOf[id]!;
    const node = directory.find(row, base, group);
    if (node < 0) return -1;
    const at = node + cellAt[id]!;
    const headMs = numbers[at + cell.headMs]!;
    if (headMs < Infinity) {
      const from = startMs(id, clockMs);
      if (headMs <= from) {
        expire(at, id, from);
        trim(node, group);
      }
    }
    return at;
  }

  function add({ row, base, clockMs }: Subject, group: number, event: StreamEvent): void {
    const { timeMs } = event;
    const ids = idsOf[group]!;
    let node = directory.find(row, base, group);
    let isInside = false;
    let isQueued = false;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      const from = startMs(id, clockMs);
      fromMs[id] = from;
      // What has left goes first, so that every window ends as the queue does.
      if (node >= 0) expire(node + cellAt[id]!, id, from);
      if (timeMs <= from) continue;
      isInside = true;
      if (from > -Infinity) isQueued = true;
    }
    if (isInside) {
      if (node < 0) {
        node = nodes.open(group);
        ({ numbers, words } = nodes);
        directory.add(row, base, group, node);
      }
      const { isByDay } = groups[group]!;
      const day = isQueued && isByDay ? dayOf(node, timeMs) : -1;
      const own = !isQueued || day >= 0 ? day : queue(node, event, isByDay);
      if (day >= 0) events.grow(day, event.amountFen);
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i]!;
        if (timeMs > fromMs[id]!) enter(node + cellAt[id]!, named[id]!, own, event, day >= 0);
      }
    }
    if (node >= 0) trim(node, group);
  }

  /** The event, which stands in the queue, enters one window. `isKnown`: as one leg more of a day that was there before. */
  function enter(at: number, planned: NamedWindow, own: number, { amountFen, other }: StreamEvent, isKnown: boolean): void {
    if (own >= 0 && planned.window.spanMsMax < Infinity && events.timeMs(own) < numbers[at + cell.headMs]!) {
      // Later events that were swept from this window, but not from one that is longer: it cannot begin before them.
      if (isKnown || events.next(own) !== words[at * 2 + cellWord.first]) return;
      setFirst(at, own);
    }
    const count = (words[at * 2 + cellWord.count]! += 1);
    numbers[at + cell.sum]! += amountFen;
    if (planned.keepsExtremes) {
      // An extreme that left is found again when somebody asks; the one of an empty window begins here.
      if (count === 1 || amountFen > numbers[at + extremes.max]!) numbers[at + extremes.max] = amountFen;
      if (count === 1 || amountFen < numbers[at + extremes.min]!) numbers[at + extremes.min] = amountFen;
    }
    if (planned.isPaired) enterPair(at, own, other, count);
  }

  /** A new event, in time order; only a late one has to look for its place, from the end that is nearer. */
  function queue(node: number, { timeMs, amountFen, slot, other, region }: StreamEvent, isByDay: boolean): number {
    const event = isByDay
      ? events.take(startOfDayMs(dayNumber(timeMs)), amountFen, -1, 1, 0)
      : events.take(timeMs, amountFen, slot, other, region);
    const ownMs = events.timeMs(event);
    const previous = eventBefore(node, ownMs);
    const next = previous < 0 ? words[node * 2 + queueWord.head]! : events.next(previous);
    events.setNext(event, next);
    events.setPrevious(event, previous);
    if (previous < 0) words[node * 2 + queueWord.head] = event;
    else events.setNext(previous, event);
    if (next < 0) words[node * 2 + queueWord.tail] = event;
    else events.setPrevious(next, event);
    return event;
  }

  /** The last event up to an instant, -1 for none. Those of a body in reverse come to the head, late ones to the tail. */
  function eventBefore(node: number, timeMs: number): number {
    let fromTail = words[node * 2 + queueWord.tail]!;
    let fromHead = words[node * 2 + queueWord.head]!;
    while (fromTail >= 0 && events.timeMs(fromTail) > timeMs) {
      if (events.timeMs(fromHead) > timeMs) return events.previous(fromHead);
      fromTail = events.previous(fromTail);
      fromHead = events.next(fromHead);
    }
    return fromTail;
  }

  /** The event of that day, -1 for none yet. One event a day: its `other` counts the legs. */
  function dayOf(node: number, timeMs: number): number {
    const dayStartMs = startOfDayMs(dayNumber(timeMs));
    let at = words[node * 2 + queueWord.tail]!;
    while (at >= 0 && events.timeMs(at) > dayStartMs) at = events.previous(at);
    return at >= 0 && events.timeMs(at) === dayStartMs ? at : -1;
  }

  /**
   * What a window holds of one counterparty is kept from its second event on: most never have one. The events of a counterparty
   * are a chain that the windows share as they share the queue.
   */
  function enterPair(at: number, own: number, other: number, count: number): void {
    if (count === 1) {
      words[at * 2 + cellWord.distinct] = other < 0 ? 0 : 1;
      return;
    }
    if (count === 2) {
      const first = words[at * 2 + cellWord.first]!;
      const single = first === own ? events.next(own) : first;
      if (events.other(single) >= 0) ofPairs.setLatest(ofPairs.add(at, events.other(single), events.amountFen(single)), single);
    }
    if (other < 0) return;
    const place = ofPairs.add(at, other, events.amountFen(own));
    let left = ofPairs.count(place) - 1;
    if (left === 0) words[at * 2 + cellWord.distinct]! += 1;
    const timeMs = events.timeMs(own);
    let next = -1;
    let previous = ofPairs.latest(place);
    for (; left > 0 && previous !== own && events.timeMs(previous) > timeMs; left--) {
      next = previous;
      previous = events.previousOfPair(previous);
    }
    // Another window has linked it.
    if (previous === own) return;
    if (left > 0 || next >= 0) events.setPreviousOfPair(own, previous);
    if (next < 0) ofPairs.setLatest(place, own);
    else events.setPreviousOfPair(next, own);
  }

  function leavePair(at: number, event: number, next: number): void {
    const left = words[at * 2 + cellWord.count]!;
    if (left === 0) {
      words[at * 2 + cellWord.distinct] = 0;
      return;
    }
    const other = events.other(event);
    if (other >= 0 && ofPairs.remove(at, other, events.amountFen(event))) words[at * 2 + cellWord.distinct]! -= 1;
    if (left === 1 && events.other(next) >= 0) ofPairs.remove(at, events.other(next), events.amountFen(next));
  }

  function extreme(subject: Subject, id: number, which: number, better: (a: number, b: number) => boolean): number {
    const at = settled(subject, id);
    if (at < 0 || words[at * 2 + cellWord.count] === 0) return Number.NaN;
    let best = numbers[at + which]!;
    if (!Number.isNaN(best)) return best;
    for (let event = words[at * 2 + cellWord.first]!; event >= 0; event = events.next(event)) {
      const amountFen = events.amountFen(event);
      if (Number.isNaN(best) || better(amountFen, best)) best = amountFen;
    }
    numbers[at + which] = best;
    return best;
  }

  /** Place of a counterparty's events inside the window that `at` is the cell of; -1 where it has none or is alone there. */
  function placeOf(at: number, other: number): number {
    return at < 0 || other < 0 || words[at * 2 + cellWord.count]! < 2 ? -1 : ofPairs.find(at, other);
  }

  /** The only event of the window where it is of that counterparty, else -1. */
  function singleOf(at: number, other: number): number {
    if (at < 0 || other < 0 || words[at * 2 + cellWord.count] !== 1) return -1;
    const event = words[at * 2 + cellWord.first]!;
    return events.other(event) === other ? event : -1;
  }

  /** Latest event of the queue that the cell's window is the end of. */
  function tailOf(at: number, id: number): number {
    return words[(at - cellAt[id]!) * 2 + queueWord.tail]!;
  }

  /** Gives back the subject's windows whose events are all gone. */
  function sweepNodes(row: Float64Array, base: number, beforeMs: number): void {
    for (let group = directory.nextOf(row, base, 0); group >= 0; group = directory.nextOf(row, base, group + 1)) {
      const node = directory.find(row, base, group);
      const { ids, isForEver } = groups[group]!;
      for (const id of ids) expire(node + cellAt[id]!, id, beforeMs - named[id]!.window.spanMsMax);
      trim(node, group);
      if (isForEver || words[node * 2 + queueWord.head]! >= 0) continue;
      directory.remove(row, base, group);
      nodes.release(node, group);
    }
  }

  return {
    join(subject, stream, event) {
      const group = stream.index < 0 ? byBit[stream.bit]! : byStream[stream.index]!;
      if (group >= 0) add(subject, group, event);
    },
    groupOf: (id) => groupOf[id]!,
    has: ({ row, base }, word) => directory.bits(row, base, word),
    count(subject, id) {
      const at = settled(subject, id);
      return at < 0 ? 0 : words[at * 2 + cellWord.count]!;
    },
    sum(subject, id) {
      const at = settled(subject, id);
      return at < 0 ? 0 : numbers[at + cell.sum]!;
    },
    distinct(subject, id) {
      const at = settled(subject, id);
      return at < 0 ? 0 : words[at * 2 + cellWord.distinct]!;
    },
    max: (subject, id) => extreme(subject, id, extremes.max, (a, b) => a > b),
    min: (subject, id) => extreme(subject, id, extremes.min, (a, b) => a < b),
    each(subject, id, visit, most = eventsVisitedMax) {
      const at = settled(subject, id);
      const first = at < 0 ? -1 : words[at * 2 + cellWord.first]!;
      if (first < 0) return;
      let left = most;
      for (let event = tailOf(at, id); left > 0 && visit(events, event); event = events.previous(event), left--)
        if (event === first) return;
    },
    eachOfPair(subject, id, other, visit) {
      const at = settled(subject, id);
      const single = singleOf(at, other);
      if (single >= 0) return void visit(events, single);
      const place = placeOf(at, other);
      if (place < 0) return;
      let left = Math.min(ofPairs.count(place), eventsVisitedMax);
      for (let event = ofPairs.latest(place); left > 0; event = events.previousOfPair(event), left--)
        if (!visit(events, event)) return;
    },
    countOfPair(subject, id, other) {
      const at = settled(subject, id);
      if (singleOf(at, other) >= 0) return 1;
      const place = placeOf(at, other);
      return place < 0 ? 0 : ofPairs.count(place);
    },
    sumOfPair(subject, id, other) {
      const at = settled(subject, id);
      const single = singleOf(at, other);
      if (single >= 0) return events.amountFen(single);
      const place = placeOf(at, other);
      return place < 0 ? 0 : ofPairs.sum(place);
    },
    latestMs(subject, id, exceptSlot) {
      const at = settled(subject, id);
      const first = at < 0 ? -1 : words[at * 2 + cellWord.first]!;
      if (first < 0) return -Infinity;
      const tail = tailOf(at, id);
      if (events.slot(tail) !== exceptSlot) return events.timeMs(tail);
      return tail === first ? -Infinity : events.timeMs(events.previous(tail));
    },
    sweep(beforeMs, rowsMost) {
      if (named.length === 0 || rows.size === 0) return;
      for (let i = 0; i < Math.min(rowsMost, rows.size); i++) {
        sweepRow = sweepRow + 1 >= rows.size ? 0 : sweepRow + 1;
        const base = sweepRow * rows.width;
        if (rows.numbers[base + column.named]! >= 0) sweepNodes(rows.numbers, base, beforeMs);
      }
    },
    bytesUsed: () => nodes.bytesUsed() + events.bytesUsed() + directory.bytesUsed() + ofPairs.bytesUsed(),
    snapshot: snapshotOfAll(
      {
        nodes: nodes.snapshot,
        events: events.snapshot,
        directory: directory.snapshot,
        ofPairs: ofPairs.snapshot,
        sweep: snapshotted(
          () => ({ sweepRow }),
          (state) => void ({ sweepRow } = state),
        ),
      },
      () => void ({ numbers, words } = nodes),
    ),
  };
}
