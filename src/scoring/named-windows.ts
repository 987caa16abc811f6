import { dayMs, dayNumber, startOfDayMs } from '../domain/bank-day.js';
import { createEventQueue, type EventQueue } from './event-queue.js';
import { column, type NamedWindow, type Plan, type StreamRef } from './plan.js';
import { fillMap, kept, keptMap, snapshotted, type Snapshotted } from './snapshot-state.js';
import type { SubjectRows } from './subject-rows.js';

/**
 * Windows over named streams. Most subjects have no leg in most of them, so such a window exists only from its first event
 * on: a node in the subject's list, with a queue of its events. What has left a window goes when somebody asks or adds; so a
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

const field = { window: 0, next: 1, head: 2, tail: 3, count: 4, sum: 5, distinct: 6, max: 7, min: 8, width: 9 } as const;
const accountsMax = 2 ** 26;

export function createNamedWindows(plan: Plan, rows: SubjectRows): NamedWindows {
  const { named } = plan;
  const events = createEventQueue();
  let nodes = new Float64Array(1_024 * field.width);
  let used = 0;
  let free = -1;
  let sweepRow = 0;
  /** How many events of a counterparty a window holds. */
  const perCounterparty = new Map<number, number>();
  const byStream = new Map<number, number[]>();
  const byBit = new Map<number, number[]>();
  named.forEach(({ stream }, id) => {
    const map = stream.index < 0 ? byBit : byStream;
    const key = stream.index < 0 ? stream.bit : stream.index;
    map.set(key, [...(map.get(key) ?? []), id]);
  });
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

  /** The subject's node of this window, or -1. */
  function find({ row, base }: Subject, id: number): number {
    let node = row[base + column.named]!;
    while (node >= 0 && nodes[node + field.window] !== id) node = nodes[node + field.next]!;
    return node;
  }

  function open({ row, base }: Subject, id: number): number {
    let node = free;
    if (node >= 0) free = nodes[node + field.next]!;
    else {
      if (used + field.width > nodes.length) {
        const wider = new Float64Array(nodes.length * 2);
        wider.set(nodes);
        nodes = wider;
      }
      node = used;
      used += field.width;
    }
    nodes.fill(0, node, node + field.width);
    nodes[node + field.window] = id;
    nodes[node + field.next] = row[base + column.named]!;
    nodes[node + field.head] = -1;
    nodes[node + field.tail] = -1;
    nodes[node + field.max] = Number.NaN;
    nodes[node + field.min] = Number.NaN;
    row[base + column.named] = node;
    return node;
  }

  function shift(node: number): void {
    const event = nodes[node + field.head]!;
    const { isByDay, distinct } = named[nodes[node + field.window]!]!;
    const amountFen = events.amountFen(event);
    nodes[node + field.count]! -= isByDay ? events.other(event) : 1;
    nodes[node + field.sum]! -= amountFen;
    if (nodes[node + field.max] === amountFen) nodes[node + field.max] = Number.NaN;
    if (nodes[node + field.min] === amountFen) nodes[node + field.min] = Number.NaN;
    if (distinct && events.other(event) >= 0) {
      const key = counterpartyKey(node, events.other(event));
      const left = perCounterparty.get(key)! - 1;
      if (left > 0) perCounterparty.set(key, left);
      else {
        perCounterparty.delete(key);
        nodes[node + field.distinct]! -= 1;
      }
    }
    const next = events.next(event);
    nodes[node + field.head] = next;
    if (next < 0) nodes[node + field.tail] = -1;
    else events.setPrevious(next, -1);
    events.release(event);
  }

  function expire(node: number, beforeOrAtMs: number): void {
    for (
      let event = nodes[node + field.head]!;
      event >= 0 && events.timeMs(event) <= beforeOrAtMs;
      event = nodes[node + field.head]!
    )
      shift(node);
  }

  /** The node with what is inside now, or -1. */
  function settled(subject: Subject, id: number): number {
    const node = find(subject, id);
    if (node >= 0 && nodes[node + field.head]! >= 0) expire(node, startMs(id, subject.clockMs));
    return node;
  }

  function add(subject: Subject, id: number, planned: NamedWindow, event: StreamEvent): void {
    const isEver = planned.window.spanMsMax === Infinity;
    const fromMs = isEver ? -Infinity : startMs(id, subject.clockMs);
    if (event.timeMs <= fromMs) return;
    let node = find(subject, id);
    if (node < 0) node = open(subject, id);
    else if (!isEver) expire(node, fromMs);
    const { amountFen, other } = event;
    const isFirst = nodes[node + field.count] === 0;
    nodes[node + field.count]! += 1;
    nodes[node + field.sum]! += amountFen;
    // An extreme that left is found again when somebody asks; the one of an empty window begins here.
    if (isFirst || amountFen > nodes[node + field.max]!) nodes[node + field.max] = amountFen;
    if (isFirst || amountFen < nodes[node + field.min]!) nodes[node + field.min] = amountFen;
    if (isEver) return;
    if (planned.isByDay) return addToDay(node, event);
    if (planned.distinct && other >= 0) {
      const key = counterpartyKey(node, other);
      const known = perCounterparty.get(key) ?? 0;
      perCounterparty.set(key, known + 1);
      if (known === 0) nodes[node + field.distinct]! += 1;
    }
    insert(node, events.take(event));
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
    if (previous < 0) nodes[node + field.head] = event;
    else events.setNext(previous, event);
    if (next < 0) nodes[node + field.tail] = event;
    else events.setPrevious(next, event);
  }

  /** One event a day: its `other` counts the legs. */
  function addToDay(node: number, event: StreamEvent): void {
    const dayStartMs = startOfDayMs(dayNumber(event.timeMs));
    const tail = nodes[node + field.tail]!;
    let found = tail >= 0 && events.timeMs(tail) === dayStartMs ? tail : -1;
    for (let at = tail; found < 0 && at >= 0 && events.timeMs(at) >= dayStartMs; at = events.previous(at))
      if (events.timeMs(at) === dayStartMs) found = at;
    if (found >= 0) events.grow(found, event.amountFen);
    else insert(node, events.take({ timeMs: dayStartMs, amountFen: event.amountFen, slot: -1, other: 1, region: 0 }));
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

  /** Takes a node whose events are all gone out of its subject's list. */
  function drop(row: Float64Array, base: number, previous: number, node: number): void {
    const next = nodes[node + field.next]!;
    if (previous < 0) row[base + column.named] = next;
    else nodes[previous + field.next] = next;
    nodes[node + field.next] = free;
    free = node;
  }

  function sweepNodes(row: Float64Array, base: number, beforeMs: number): void {
    let previous = -1;
    for (let node = row[base + column.named]!; node >= 0;) {
      const next = nodes[node + field.next]!;
      const { window } = named[nodes[node + field.window]!]!;
      if (window.spanMsMax !== Infinity) expire(node, beforeMs - window.spanMsMax);
      if (window.spanMsMax !== Infinity && nodes[node + field.head]! < 0) drop(row, base, previous, node);
      else previous = node;
      node = next;
    }
  }

  return {
    join(subject, stream, event) {
      const ids = stream.index < 0 ? byBit.get(stream.bit) : byStream.get(stream.index);
      if (ids) for (const id of ids) add(subject, id, named[id]!, event);
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
    bytesUsed: () => nodes.byteLength + events.bytesUsed() + perCounterparty.size * 40,
    snapshot: snapshotted(
      () => ({
        nodes: kept(nodes, used),
        used,
        free,
        sweepRow,
        perCounterparty: keptMap(perCounterparty),
        events: events.snapshot.save(),
      }),
      (state) => {
        ({ nodes, used, free, sweepRow } = state);
        fillMap(perCounterparty, state.perCounterparty);
        events.snapshot.load(state.events);
      },
    ),
  };
}

function counterpartyKey(node: number, other: number): number {
  return (node / field.width) * accountsMax + other;
}
