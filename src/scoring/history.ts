import { dayNumber, startOfDayMs } from '../domain/bank-day.js';
import type { Evaluation } from './evaluation.js';
import type { LikeAmounts } from './like-amounts.js';
import { type LegLog, legNumber, legWord, numberWidth, wordWidth } from './leg-log.js';
import { pairWord, type PairTable } from './pair-table.js';
import type { NamedWindows, StreamEvent } from './named-windows.js';
import { baseBit, column, lotMemoryMs, type Plan, type PlannedStream, type StreamRef } from './plan.js';
import type { SubjectRows } from './subject-rows.js';
import { createWindowStarts } from './window.js';
import { generateDrop, generateRaise } from './window-cells.js';

/**
 * A late leg is put in its place in time by walking back over the newer ones, this many at most; one that lies further
 * back leaves its windows together with the leg at that place.
 */
const lateStepsMax = 4_096;

/**
 * Keeps every subject's windows exact. A subject's windows end at its own clock, the latest event time it has seen, and
 * legs leave them when that subject moves on: so a subject's numbers depend on its own legs only, never on how accounts
 * are spread over partitions.
 */
export interface History {
  /** Brings the subject's clock to `leg.timeMs`, closes its day where one ended, drops what left its windows. */
  advance(leg: Evaluation): void;
  /** Puts the leg in, with the base streams that it belongs to. */
  add(leg: Evaluation, bits: number): void;
  /** Counts the leg for a named stream, by its number. */
  join(leg: Evaluation, stream: number): void;
  /** First in, first out: a credit opens a lot, a debit spends the oldest lots. */
  settleLots(leg: Evaluation): void;
  /** Gives back the room of legs that no window and no lateness needs any more. */
  sweep(beforeMs: number): void;
}

/** Whether the condition of a `day` or `lots` stream holds for what `leg` says of the closed day or the spent lot. */
export type StreamTest = (leg: Evaluation) => boolean;

export function createHistory(
  plan: Plan,
  legs: LegLog,
  pairs: PairTable,
  rows: SubjectRows,
  named: NamedWindows,
  tests: ReadonlyMap<number, StreamTest>,
  likeAmounts: LikeAmounts,
): History {
  // Windows over base streams share the subject's chain of legs; named streams have queues of their own.
  const sliding = plan.windows.filter((planned) => planned.headColumn >= 0);
  const endless = plan.windows.filter((planned) => planned.headColumn < 0);
  const headColumns = Int32Array.from(sliding, ({ headColumn }) => headColumn);
  const { distinctBits } = plan;
  const raised = [
    ...sliding.map(({ cells }, start) => ({ cells, start })),
    ...endless.map(({ cells }) => ({ cells, start: -1 })),
  ];
  const raiseDebit = generateRaise(raised, baseBit.any | baseBit.debit, distinctBits);
  const raiseCredit = generateRaise(raised, baseBit.any | baseBit.credit, distinctBits);
  const drops = sliding.map(({ cells }) => generateDrop(cells, distinctBits));
  const starts = createWindowStarts(sliding);
  const startsMs = starts.startsMs;
  const allDistinctBits = distinctBits.reduce((bits, bit) => bits | bit, 0);
  const dayStreams = plan.streams.filter((stream) => stream.of === 'day');
  const lotStreams = plan.streams.filter((stream) => stream.of === 'lots');
  const byDay = [...new Set(plan.named.filter(({ isByDay }) => isByDay).map(({ stream }) => stream.bit))].map((bit) => ({
    name: '',
    bit,
    index: -1,
  }));
  const refs = plan.streams.map(({ index }): StreamRef => ({ name: '', bit: 0, index }));
  const hasWindows = Uint8Array.from(plan.streams, ({ index }) =>
    plan.named.some(({ stream }) => stream.index === index) ? 1 : 0,
  );
  const keepsDays = dayStreams.length > 0;
  const keepsLots = lotStreams.length > 0;
  const keepsAmounts = plan.keeps('amounts');
  /** Per stream whose counterparties are counted: the time of the pair's latest other leg in it. */
  const lastOfPairMs = new Float64Array(distinctBits.length).fill(-Infinity);

  function expire(row: Float64Array, base: number, window: number, startMs: number): void {
    const head = base + headColumns[window]!;
    const drop = drops[window]!;
    let slot = row[head]!;
    let timeMs = row[head + 1]!;
    const { numbers, words } = legs;
    while (timeMs <= startMs) {
      const word = slot * wordWidth;
      drop(
        row,
        base,
        words[word + legWord.streams]!,
        numbers[slot * numberWidth + legNumber.amountFen]!,
        slot,
        pairs,
        words[word + legWord.pair]!,
      );
      slot = words[word + legWord.next]!;
      timeMs = slot < 0 ? Infinity : numbers[slot * numberWidth + legNumber.timeMs]!;
    }
    row[head] = slot;
    row[head + 1] = timeMs;
  }

  /** Links a leg into its subject's time order and into the windows that still hold its time. */
  function link(leg: Evaluation, timeMs: number, amountFen: number, pair: number): number {
    const { row, base, view } = leg;
    let after = row[base + column.newest]!;
    let before = -1;
    let placedMs = timeMs;
    // Only a late leg has newer ones before it: the subject's clock says so without looking at a single leg.
    for (let steps = 0; leg.late && after >= 0 && legs.timeMs(after) > timeMs; steps++) {
      if (steps === lateStepsMax) {
        placedMs = legs.timeMs(after);
        break;
      }
      before = after;
      after = legs.word(after, legWord.previous);
    }
    const slot = legs.add(placedMs, view);
    const { numbers, words } = legs;
    numbers[slot * numberWidth + legNumber.timeMs] = placedMs;
    numbers[slot * numberWidth + legNumber.amountFen] = amountFen;
    const word = slot * wordWidth;
    words[word + legWord.subject] = leg.subject;
    words[word + legWord.pair] = pair;
    words[word + legWord.streams] = 0;
    words[word + legWord.previous] = after;
    words[word + legWord.next] = before;
    words[word + legWord.amountEntry] = -1;
    words[word + legWord.region] = leg.other.region;
    if (after >= 0) words[after * wordWidth + legWord.next] = slot;
    else row[base + column.oldest] = slot;
    if (before >= 0) words[before * wordWidth + legWord.previous] = slot;
    else row[base + column.newest] = slot;
    for (let w = 0; w < headColumns.length; w++) {
      if (placedMs <= startsMs[w]!) continue;
      const head = base + headColumns[w]!;
      if (row[head]! >= 0 && row[head] !== before) continue;
      row[head] = slot;
      row[head + 1] = placedMs;
    }
    return slot;
  }

  /** Puts a leg into its pair's order of time. */
  function linkOfPair(leg: Evaluation): void {
    const { slot, pair } = leg;
    const { words } = pairs;
    const head = pair * pairs.width * 2 + pairWord.lastLeg;
    const timeMs = legs.timeMs(slot);
    let next = -1;
    let previous = words[head]!;
    // The pair's row says when its latest leg was: only before an earlier one must the legs themselves be looked at.
    if (timeMs < leg.pairLastDebitMs || timeMs < leg.pairLastCreditMs) {
      while (previous >= 0 && legs.timeMs(previous) > timeMs) {
        next = previous;
        previous = legs.word(previous, legWord.previousOfPair);
      }
    }
    legs.setWord(slot, legWord.previousOfPair, previous);
    legs.setWord(slot, legWord.nextOfPair, next);
    if (previous >= 0) legs.setWord(previous, legWord.nextOfPair, slot);
    if (next < 0) words[head] = slot;
    else legs.setWord(next, legWord.previousOfPair, slot);
  }

  function unlinkOfPair(slot: number, pair: number): void {
    const { words } = pairs;
    const previous = legs.word(slot, legWord.previousOfPair);
    const next = legs.word(slot, legWord.nextOfPair);
    const head = pair * pairs.width * 2 + pairWord.lastLeg;
    if (previous >= 0) legs.setWord(previous, legWord.nextOfPair, next);
    if (next >= 0) legs.setWord(next, legWord.previousOfPair, previous);
    else if (words[head] === slot) words[head] = previous;
  }

  /** Counts a leg that is linked already. */
  function count(leg: Evaluation, bits: number): void {
    const { slot, row, base, isDebit } = leg;
    const { numbers, words } = legs;
    words[slot * wordWidth + legWord.streams]! |= bits;
    if ((bits & allDistinctBits) !== 0) noteCounterparty(words[slot * wordWidth + legWord.pair]!, slot, bits);
    (isDebit ? raiseDebit : raiseCredit)(row, base, numbers, slot * numberWidth, startsMs, lastOfPairMs);
  }

  /** Makes the leg the pair's latest in each of the streams unless a later one is in already. */
  function noteCounterparty(pair: number, slot: number, bits: number): void {
    if (pair < 0) {
      lastOfPairMs.fill(-Infinity);
      return;
    }
    const timeMs = legs.timeMs(slot);
    const { words } = pairs;
    const first = pair * pairs.width * 2 + pairWord.fixed;
    for (let d = 0; d < distinctBits.length; d++) {
      if ((bits & distinctBits[d]!) === 0) continue;
      const other = words[first + d]!;
      const otherMs = other < 0 ? -Infinity : legs.timeMs(other);
      if (otherMs <= timeMs) words[first + d] = slot;
      lastOfPairMs[d] = otherMs;
    }
  }

  /** The day that ended becomes one leg of each `day` stream whose condition holds, at its last millisecond. */
  function closeDay(leg: Evaluation, day: number): void {
    const { row, base } = leg;
    const closing = row[base + column.day]!;
    if (closing >= 0) {
      leg.dayDebitFen = row[base + column.dayDebitFen]!;
      leg.dayCreditFen = row[base + column.dayCreditFen]!;
      leg.dayCount = row[base + column.dayCount]!;
      leg.dayBalanceFen = row[base + column.balanceFen]!;
      const event = { timeMs: startOfDayMs(closing + 1) - 1, slot: -1, other: -1, region: 0 };
      for (const stream of dayStreams)
        if (tests.get(stream.index)?.(leg) ?? true)
          named.join(leg, refs[stream.index]!, { ...event, amountFen: leg.dayDebitFen + leg.dayCreditFen });
    }
    row[base + column.day] = day;
    row[base + column.dayDebitFen] = 0;
    row[base + column.dayCreditFen] = 0;
    row[base + column.dayCount] = 0;
  }

  /** A late credit older than the oldest open lot counts as spent already. */
  function openOrQueueLot(leg: Evaluation): void {
    const { row, base } = leg;
    const head = row[base + column.lotHead]!;
    if (leg.late && (head < 0 || leg.timeMs < legs.timeMs(head))) return;
    row[base + column.lotsLeftFen]! += leg.view.amountFen;
    if (head >= 0) return;
    row[base + column.lotHead] = leg.slot;
    row[base + column.lotHeadMs] = leg.timeMs;
    row[base + column.lotLeftFen] = leg.view.amountFen;
    row[base + column.lotCounted] = 0;
  }

  /** Credits that nobody spent for so long count as old balance. */
  function forgetOldLots({ row, base, clockMs }: Evaluation): void {
    while (row[base + column.lotHead]! >= 0 && row[base + column.lotHeadMs]! <= clockMs - lotMemoryMs) {
      row[base + column.lotsLeftFen]! -= row[base + column.lotLeftFen]!;
      openLot(row, base, legs.word(row[base + column.lotHead]!, legWord.next));
    }
  }

  function spend(leg: Evaluation): void {
    const { row, base } = leg;
    let left = leg.view.amountFen;
    // Money that was there before the lots, where the bank says how much, goes first.
    const before = leg.self.balanceFen + left - row[base + column.lotsLeftFen]!;
    if (before > 0) left -= Math.min(left, before);
    while (left > 0) {
      const head = row[base + column.lotHead]!;
      if (head < 0) return;
      const taken = Math.min(left, row[base + column.lotLeftFen]!);
      left -= taken;
      row[base + column.lotLeftFen]! -= taken;
      row[base + column.lotsLeftFen]! -= taken;
      for (const stream of lotStreams) countLot(leg, stream, head);
      if (row[base + column.lotLeftFen]! > 0) return;
      openLot(row, base, legs.word(head, legWord.next));
    }
  }

  /** A lot that is spent far enough and fast enough becomes a leg of the stream, once. */
  function countLot(leg: Evaluation, stream: PlannedStream, head: number): void {
    const { row, base } = leg;
    const counted = row[base + column.lotCounted]!;
    const bit = 1 << lotStreams.indexOf(stream);
    if ((counted & bit) !== 0) return;
    const lotFen = legs.amountFen(head);
    if (lotFen - row[base + column.lotLeftFen]! < stream.share * lotFen) return;
    row[base + column.lotCounted] = counted | bit;
    leg.lotAmountFen = lotFen;
    leg.lotDwellMs = leg.timeMs - row[base + column.lotHeadMs]!;
    if (leg.lotDwellMs > stream.withinMs || leg.lotDwellMs < 0) return;
    if (!(tests.get(stream.index)?.(leg) ?? true)) return;
    named.join(leg, refs[stream.index]!, {
      timeMs: leg.timeMs,
      amountFen: lotFen,
      slot: head,
      other: pairs.otherOf(legs.word(head, legWord.pair)),
      region: legs.word(head, legWord.region),
    });
  }

  /** The next credit from `slot` on becomes the oldest open lot. */
  function openLot(row: Float64Array, base: number, from: number): void {
    let slot = from;
    while (slot >= 0 && (legs.word(slot, legWord.streams) & baseBit.credit) === 0) slot = legs.word(slot, legWord.next);
    row[base + column.lotHead] = slot;
    row[base + column.lotCounted] = 0;
    if (slot >= 0) {
      row[base + column.lotHeadMs] = legs.timeMs(slot);
      row[base + column.lotLeftFen] = legs.amountFen(slot);
    } else {
      row[base + column.lotLeftFen] = 0;
      row[base + column.lotsLeftFen] = 0;
    }
  }

  /** Takes a leg out of everything that still names it. */
  function unlink(slot: number): void {
    const row = rows.numbers;
    const base = rows.known(legs.word(slot, legWord.subject)) * rows.width;
    const timeMs = legs.timeMs(slot);
    const pair = legs.word(slot, legWord.pair);
    const previous = legs.word(slot, legWord.previous);
    const next = legs.word(slot, legWord.next);
    for (let w = 0; w < headColumns.length; w++) {
      const head = base + headColumns[w]!;
      // Inside are all legs from the head on in time; a late leg may stand before older arrivals.
      if (row[head + 1]! > timeMs) continue;
      drops[w]!(row, base, legs.word(slot, legWord.streams), legs.amountFen(slot), slot, pairs, pair);
      if (row[head] !== slot) continue;
      row[head] = next;
      row[head + 1] = next < 0 ? Infinity : legs.timeMs(next);
    }
    if (row[base + column.lotHead] === slot) {
      row[base + column.lotsLeftFen]! -= row[base + column.lotLeftFen]!;
      openLot(row, base, next);
    }
    if (previous >= 0) legs.setWord(previous, legWord.next, next);
    else row[base + column.oldest] = next;
    if (next >= 0) legs.setWord(next, legWord.previous, previous);
    else row[base + column.newest] = previous;
    likeAmounts.remove(slot);
    if (pair < 0) return;
    unlinkOfPair(slot, pair);
    const { words } = pairs;
    const pairBase = pair * pairs.width * 2;
    for (let c = pairWord.fixed; c < pairs.slotsEnd; c++) if (words[pairBase + c] === slot) words[pairBase + c] = -1;
  }

  return {
    advance(leg) {
      const { row, base, clockMs } = leg;
      const day = leg.late ? dayNumber(clockMs) : leg.day;
      starts.move(clockMs, day);
      for (let w = 0; w < headColumns.length; w++) {
        if (row[base + headColumns[w]! + 1]! <= startsMs[w]!) expire(row, base, w, startsMs[w]!);
      }
      if (keepsDays && day > row[base + column.day]!) closeDay(leg, day);
    },
    add(leg, bits) {
      const { row, base, view } = leg;
      leg.slot = link(leg, leg.timeMs, view.amountFen, leg.pair);
      linkOfPair(leg);
      if (keepsAmounts) likeAmounts.add(leg.slot, leg.subject, leg.isDebit);
      count(leg, bits);
      for (const stream of byDay) if ((bits & stream.bit) !== 0) named.join(leg, stream, eventOf(leg));
      if (keepsDays && leg.day === row[base + column.day]) {
        row[base + (leg.isDebit ? column.dayDebitFen : column.dayCreditFen)]! += view.amountFen;
        row[base + column.dayCount]!++;
      }
      if (!leg.late) row[base + column.balanceFen] = leg.self.balanceFen;
    },
    join(leg, stream) {
      if (hasWindows[stream] === 1) named.join(leg, refs[stream]!, eventOf(leg));
    },
    settleLots(leg) {
      if (!keepsLots) return;
      forgetOldLots(leg);
      if (leg.isDebit) spend(leg);
      else openOrQueueLot(leg);
    },
    sweep: (beforeMs) => legs.sweep(beforeMs, unlink),
  };
}

/** One for all: a stream takes from it what it keeps before the next leg comes. The fractions make its numbers doubles from the start. */
const event = { timeMs: 0.5, amountFen: 0.5, slot: 0, other: 0, region: 0 };

function eventOf(leg: Evaluation): StreamEvent {
  event.timeMs = leg.timeMs;
  event.amountFen = leg.view.amountFen;
  event.slot = leg.slot;
  event.other = leg.otherNumber;
  event.region = leg.other.region;
  return event;
}
