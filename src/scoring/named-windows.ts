import { dayMs, dayNumber, startOfDayMs } from '../domain/bank-day.js';
import { createEventQueue, type EventQueue } from './event-queue.js';
import { createPairEvents } from './pair-events.js';
import { column, type NamedWindow, type Plan, type StreamRef } from './plan.js';
import { kept, snapshotted, type Snapshotted } from './snapshot-state.js';
import { widerLength } from './growth.js';
import type { SubjectRows } from './subject-rows.js';
import { createWindowDirectory } from './window-directory.js';

/**
 * Windows over named streams. Most subjects have no leg in most of them, so such a window exists only from its first event
 * on: a node in the subject's directory, with a queue of its events. What has left a window goes when somebody asks or adds; so a
 * leg that has nothing to do with it costs nothing.
 */
export interface NamedWindows {
  /** The leg (or closed day, or spent lot) joins the stream. `other`: number of the counterparty's account, -1 for none. */
  join(subject: Subject, stream: StreamRef, event: StreamEvent): void;
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

/** Of a node: its events from the oldest to the latest, the time of the oldest, and what they are together. */
const field = { head: 0, tail: 1, headMs: 2, count: 3, sum: 4, distinct: 5, max: 6, min: 7, width: 8 } as const;

export function createNamedWindows(plan: Plan, rows: SubjectRows): NamedWindows {
  const { named } = plan;
  const events = createEventQueue();
  const directory = createWindowDirectory(named.length);
  const ofPairs = createPairEvents();
  let nodes = new Float64Array(1_024 * field.width);
  let used = 0;
  let free = -1;
  let sweepRow = 0;
  const idsOf = (isWanted: (stream: StreamRef) => boolean): readonly number[] =>
    named.flatMap(({ stream }, id) => (isWanted(stream) ? [id] : []));
  const byStream = plan.streams.map(({ index }) => idsOf((stream) => stream.index === index));
  const byBit = Array.from({ length: 8 }, (_, bit) => idsOf((stream) => stream.index < 0 && stream.bit === bit));
  /** Windows that move with the calendar day alone: where they begin, kept for the day. */
  const startDay = new Float64Array(named.length).fill(Number.NaN);
  const startOf = new Float64Array(named.length);

  function startMs(id: number, clockMs: number): number {
    const { window, isByDay } = named[id]!;
    if (window.slides && !isByDay) return clockMs - window.spanMsMax;
    const day = dayNumber(clockMs);
    if (startDay[id] !== day) {
      startDay[id] = day;
      startOf[id] = isByDay ? startOfDayMs(day - Math.round(window.spanMsMax / dayMs) + 1) - 1 : window.startMs(clockMs);
    }
    return startOf[id]!;
  }

  function open({ row, base }: Subject, id: number): number {
    let node = free;
    if (node >= 0) free = nodes[node + field.head]!;
    else {
      if (used + field.width > nodes.length) {
        const wider = new Float64Array(widerLength(nodes.length));
        wider.set(nodes);
        nodes = wider;
      }
      node = used;
      used += field.width;
    }
    nodes.fill(0, node, node + field.width);
    nodes[node + field.head] = -1;
    nodes[node + field.tail] = -1;
    nodes[node + field.headMs] = Infinity;
    nodes[node + field.max] = Number.NaN;
    nodes[node + field.min] = Number.NaN;
    directory.add(row, base, id, node);
    return node;
  }

  /** The oldest event leaves. */
  function shift(node: number, { isByDay, distinct, ofPair }: NamedWindow): void {
    const event = nodes[node + field.head]!;
    const amountFen = events.amountFen(event);
    nodes[node + field.count]! -= isByDay ? events.other(event) : 1;
    nodes[node + field.sum]! -= amountFen;
    if (nodes[node + field.max] === amountFen) nodes[node + field.max] = Number.NaN;
    if (nodes[node + field.min] === amountFen) nodes[node + field.min] = Number.NaN;
    if ((distinct || ofPair) && events.other(event) >= 0) {
      if (ofPairs.remove(node, events.other(event), amountFen)) nodes[node + field.distinct]! -= 1;
    }
    const next = events.next(event);
    setHead(node, next);
    if (next < 0) nodes[node + field.tail] = -1;
    else events.setPrevious(next, -1);
    events.release(event);
  }

  function setHead(node: number, event: number): void {
    nodes[node + field.head] = event;
    nodes[node + field.headMs] = event < 0 ? Infinity : events.timeMs(event);
  }

  function expire(node: number, planned: NamedWindow, beforeOrAtMs: number): void {
    while (nodes[node + field.headMs]! <= beforeOrAtMs) shift(node, planned);
  }

  /** The node with what is inside now, or -1. */
  function settled({ row, base, clockMs }: Subject, id: number): number {
    const node = directory.find(row, base, id);
    if (node >= 0 && nodes[node + field.headMs]! < Infinity) expire(node, named[id]!, startMs(id, clockMs));
    return node;
  }

  function add(subject: Subject, id: number, event: StreamEvent): void {
    const planned = named[id]!;
    const isEver = planned.window.spanMsMax === Infinity;
    const fromMs = isEver ? -Infinity : startMs(id, subject.clockMs);
    if (event.timeMs <= fromMs) return;
    let node = directory.find(subject.row, subject.base, id);
    if (node < 0) node = open(subject, id);
    else if (!isEver) expire(node, planned, fromMs);
    const { amountFen } = event;
    const isFirst = nodes[node + field.count] === 0;
    nodes[node + field.count]! += 1;
    nodes[node + field.sum]! += amountFen;
    // An extreme that left is found again when somebody asks; the one of an empty window begins here.
    if (isFirst || amountFen > nodes[node + field.max]!) nodes[node + field.max] = amountFen;
    if (isFirst || amountFen < nodes[node + field.min]!) nodes[node + field.min] = amountFen;
    if (isEver) return;
    if (planned.isByDay) return addToDay(node, event);
    const own = events.take(event.timeMs, amountFen, event.slot, event.other, event.region);
    insert(node, own);
    if ((planned.distinct || planned.ofPair) && event.other >= 0) addOfPair(node, own, event.other);
  }

  /** In time order; only a late event has to look for its place. */
  function insert(node: number, event: number): void {
    const timeMs = events.timeMs(event);
    const tail = nodes[node + field.tail]!;
    let previous = tail;
    while (previous >= 0 && events.timeMs(previous) > timeMs) previous = events.previous(previous);
    const next = previous < 0 ? nodes[node + field.head]! : events.next(previous);
    events.setNext(event, next);
    events.setPrevious(event, previous);
    if (previous < 0) setHead(node, event);
    else events.setNext(previous, event);
    if (next < 0) nodes[node + field.tail] = event;
    else events.setPrevious(next, event);
  }

  /** The same among the events of the counterparty. */
  function addOfPair(node: number, event: number, other: number): void {
    const place = ofPairs.add(node, other, events.amountFen(event));
    let left = ofPairs.count(place) - 1;
    if (left === 0) nodes[node + field.distinct]! += 1;
    const timeMs = events.timeMs(event);
    let next = -1;
    let previous = ofPairs.latest(place);
    for (; left > 0 && events.timeMs(previous) > timeMs; left--) {
      next = previous;
      previous = events.previousOfPair(previous);
    }
    events.setPreviousOfPair(event, previous);
    if (next < 0) ofPairs.setLatest(place, event);
    else events.setPreviousOfPair(next, event);
  }

  /** Place of a counterparty's events inside the window, or -1. */
  function ofPair(subject: Subject, id: number, other: number): number {
    const node = settled(subject, id);
    return node < 0 || other < 0 ? -1 : ofPairs.find(node, other);
  }

  /** One event a day: its `other` counts the legs. */
  function addToDay(node: number, event: StreamEvent): void {
    const dayStartMs = startOfDayMs(dayNumber(event.timeMs));
    const tail = nodes[node + field.tail]!;
    let found = tail >= 0 && events.timeMs(tail) === dayStartMs ? tail : -1;
    for (let at = tail; found < 0 && at >= 0 && events.timeMs(at) >= dayStartMs; at = events.previous(at))
      if (events.timeMs(at) === dayStartMs) found = at;
    if (found >= 0) events.grow(found, event.amountFen);
    else insert(node, events.take(dayStartMs, event.amountFen, -1, 1, 0));
  }

  function extreme(subject: Subject, id: number, at: number, better: (a: number, b: number) => boolean): number {
    const node = settled(subject, id);
    if (node < 0 || nodes[node + field.count] === 0) return Number.NaN;
    let best = nodes[node + at]!;
    if (!Number.isNaN(best)) return best;
    for (let event = nodes[node + field.head]!; event >= 0; event = events.next(event)) {
      const amountFen = events.amountFen(event);
      if (Number.isNaN(best) || better(amountFen, best)) best = amountFen;
    }
    nodes[node + at] = best;
    return best;
  }

  function number(subject: Subject, id: number, at: number): number {
    const node = settled(subject, id);
    return node < 0 ? 0 : nodes[node + at]!;
  }

  /** Gives back the subject's windows whose events are all gone. */
  function sweepNodes(row: Float64Array, base: number, beforeMs: number): void {
    for (let id = directory.nextOf(row, base, 0); id >= 0; id = directory.nextOf(row, base, id + 1)) {
      const { spanMsMax } = named[id]!.window;
      if (spanMsMax === Infinity) continue;
      const node = directory.find(row, base, id);
      expire(node, named[id]!, beforeMs - spanMsMax);
      if (nodes[node + field.head]! >= 0) continue;
      directory.remove(row, base, id);
      nodes[node + field.head] = free;
      free = node;
    }
  }

  return {
    join(subject, stream, event) {
      const ids = stream.index < 0 ? byBit[stream.bit]! : byStream[stream.index]!;
      for (let i = 0; i < ids.length; i++) add(subject, ids[i]!, event);
    },
    count: (subject, id) => number(subject, id, field.count),
    sum: (subject, id) => number(subject, id, field.sum),
    distinct: (subject, id) => number(subject, id, field.distinct),
    max: (subject, id) => extreme(subject, id, field.max, (a, b) => a > b),
    min: (subject, id) => extreme(subject, id, field.min, (a, b) => a < b),
    each(subject, id, visit, most = eventsVisitedMax) {
      const node = settled(subject, id);
      if (node < 0) return;
      let left = most;
      for (let event = nodes[node + field.tail]!; event >= 0 && left > 0; event = events.previous(event), left--)
        if (!visit(events, event)) return;
    },
    eachOfPair(subject, id, other, visit) {
      const place = ofPair(subject, id, other);
      if (place < 0) return;
      let left = Math.min(ofPairs.count(place), eventsVisitedMax);
      for (let event = ofPairs.latest(place); left > 0; event = events.previousOfPair(event), left--)
        if (!visit(events, event)) return;
    },
    countOfPair(subject, id, other) {
      const place = ofPair(subject, id, other);
      return place < 0 ? 0 : ofPairs.count(place);
    },
    sumOfPair(subject, id, other) {
      const place = ofPair(subject, id, other);
      return place < 0 ? 0 : ofPairs.sum(place);
    },
    latestMs(subject, id, exceptSlot) {
      const node = settled(subject, id);
      const tail = node < 0 ? -1 : nodes[node + field.tail]!;
      if (tail < 0) return -Infinity;
      if (events.slot(tail) !== exceptSlot) return events.timeMs(tail);
      const before = events.previous(tail);
      return before < 0 ? -Infinity : events.timeMs(before);
    },
    sweep(beforeMs, rowsMost) {
      if (named.length === 0 || rows.size === 0) return;
      for (let i = 0; i < Math.min(rowsMost, rows.size); i++) {
        sweepRow = sweepRow + 1 >= rows.size ? 0 : sweepRow + 1;
        const base = sweepRow * rows.width;
        if (rows.numbers[base + column.named]! >= 0) sweepNodes(rows.numbers, base, beforeMs);
      }
    },
    bytesUsed: () => nodes.byteLength + events.bytesUsed() + directory.bytesUsed() + ofPairs.bytesUsed(),
    snapshot: snapshotted(
      () => ({
        nodes: kept(nodes, used),
        used,
        free,
        sweepRow,
        events: events.snapshot.save(),
        directory: directory.snapshot.save(),
        ofPairs: ofPairs.snapshot.save(),
      }),
      (state) => {
        ({ nodes, used, free, sweepRow } = state);
        events.snapshot.load(state.events);
        directory.snapshot.load(state.directory);
        ofPairs.snapshot.load(state.ofPairs);
      },
    ),
  };
}
