import { dayNumber, startOfDayMs } from '../domain/bank-day.js';
import type { Evaluation } from './evaluation.js';
import { chunkBits, type LegChunk, chunkLegs, type LegLog } from './leg-log.js';
import { pairColumn, type PairTable } from './pair-table.js';
import { baseBit, cellKinds, column, lotMemoryMs, type Plan, type PlannedStream, type PlannedWindow } from './plan.js';
import type { SubjectRows } from './subject-rows.js';

const at = chunkLegs - 1;
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
  /** Puts the leg in, with the streams that it belongs to by itself. */
  add(leg: Evaluation, bits: number): void;
  /** Counts the leg for further streams. */
  join(leg: Evaluation, bits: number): void;
  /** First in, first out: a credit opens a lot, a debit spends the oldest lots. */
  settleLots(leg: Evaluation): void;
  /** Gives back chunks of legs that no window and no lateness needs any more. */
  sweep(beforeMs: number): void;
}

export function createHistory(plan: Plan, legs: LegLog, pairs: PairTable, rows: SubjectRows): History {
  const sliding = plan.windows.filter((planned) => planned.headColumn >= 0);
  const endless = plan.windows.filter((planned) => planned.headColumn < 0);
  const slidingCells = sliding.map((planned) => packCells(planned, plan.distinctBits));
  const endlessCells = endless.map((planned) => packCells(planned, plan.distinctBits));
  const headColumns = Int32Array.from(sliding, ({ headColumn }) => headColumn);
  /** Start of each sliding window for the clock of the leg in hand; both legs of a transaction mostly share it. */
  const startsMs = new Float64Array(sliding.length);
  let startsForMs = Number.NaN;
  const distinctBits = plan.distinctBits;
  const dayStreams = plan.streams.filter((stream) => stream.of === 'day');
  const lotStreams = plan.streams.filter((stream) => stream.of === 'lots');
  const keepsDays = dayStreams.length > 0;
  const keepsLots = lotStreams.length > 0;

  function expire(row: Float64Array, base: number, window: number, startMs: number): void {
    const headColumn = headColumns[window]!;
    const cells = slidingCells[window]!;
    let slot = row[base + headColumn]!;
    let timeMs = row[base + headColumn + 1]!;
    while (timeMs <= startMs) {
      const chunk = legs.chunks[slot >>> chunkBits]!;
      const i = slot & at;
      drop(row, base, cells, slot, chunk, i);
      slot = chunk.next[i]!;
      timeMs = slot < 0 ? Infinity : legs.timeMs(slot);
    }
    row[base + headColumn] = slot;
    row[base + headColumn + 1] = timeMs;
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
      after = legs.chunks[after >>> chunkBits]!.previous[after & at]!;
    }
    const slot = legs.add(placedMs, view.bytes, view.idStart, view.idEnd);
    const chunk = legs.chunks[slot >>> chunkBits]!;
    const i = slot & at;
    chunk.timeMs[i] = placedMs;
    chunk.amountFen[i] = amountFen;
    chunk.subject[i] = leg.subject;
    chunk.pair[i] = pair;
    chunk.streams[i] = 0;
    chunk.previous[i] = after;
    chunk.next[i] = before;
    chunk.previousOfPair[i] = -1;
    chunk.province[i] = leg.other.province;
    if (after >= 0) legs.chunks[after >>> chunkBits]!.next[after & at] = slot;
    else row[base + column.oldest] = slot;
    if (before >= 0) legs.chunks[before >>> chunkBits]!.previous[before & at] = slot;
    else row[base + column.newest] = slot;
    for (let w = 0; w < sliding.length; w++) {
      if (placedMs <= startsMs[w]!) continue;
      const headColumn = headColumns[w]!;
      const head = row[base + headColumn]!;
      if (head < 0 || head === before) {
        row[base + headColumn] = slot;
        row[base + headColumn + 1] = placedMs;
      }
    }
    return slot;
  }

  /** Counts a leg that is linked already for some streams. */
  function count(row: Float64Array, base: number, slot: number, bits: number): void {
    const chunk = legs.chunks[slot >>> chunkBits]!;
    const i = slot & at;
    const timeMs = chunk.timeMs[i]!;
    const amountFen = chunk.amountFen[i]!;
    chunk.streams[i]! |= bits;
    // Per stream whose counterparties are counted: the time of the pair's latest other leg in it.
    const pair = chunk.pair[i]!;
    for (let d = 0; d < distinctBits.length; d++) {
      lastOfPairMs[d] = -Infinity;
      if ((bits & distinctBits[d]!) !== 0 && pair >= 0) lastOfPairMs[d] = supersede(pair, d, slot, timeMs);
    }
    for (let w = 0; w < sliding.length; w++) {
      const startMs = startsMs[w]!;
      if (timeMs > startMs) raise(row, base, slidingCells[w]!, bits, amountFen, startMs);
    }
    for (let w = 0; w < endlessCells.length; w++) raise(row, base, endlessCells[w]!, bits, amountFen, -Infinity);
  }

  const lastOfPairMs = new Float64Array(distinctBits.length);

  /** Makes the leg the pair's latest of the stream unless a later one is in already. Time of the other leg. */
  function supersede(pair: number, d: number, slot: number, timeMs: number): number {
    const chunk = pairs.chunk(pair);
    const cell = pairs.base(pair) + pairColumn.fixed + d;
    const other = chunk[cell]!;
    const otherMs = other < 0 ? -Infinity : legs.timeMs(other);
    if (otherMs <= timeMs) chunk[cell] = slot;
    return otherMs;
  }

  function raise(row: Float64Array, base: number, cells: Int32Array, bits: number, amountFen: number, startMs: number): void {
    for (let c = 0; c < cells.length; c += cellWidth) {
      if ((bits & cells[c]!) === 0) continue;
      const place = base + cells[c + 2]!;
      switch (cells[c + 1]) {
        case kind.count:
          row[place]!++;
          break;
        case kind.sum:
          row[place]! += amountFen;
          break;
        case kind.distinct:
          if (lastOfPairMs[cells[c + 3]!]! <= startMs) row[place]!++;
          break;
        case kind.max:
          if (amountFen > row[place]! || (startMs === -Infinity && Number.isNaN(row[place]!))) row[place] = amountFen;
          break;
        case kind.min:
          if (amountFen < row[place]! || (startMs === -Infinity && Number.isNaN(row[place]!))) row[place] = amountFen;
          break;
      }
    }
  }

  /** Takes a leg out of a window's cells. It was its counterparty there where no later leg of the pair is in the stream. */
  function drop(row: Float64Array, base: number, cells: Int32Array, slot: number, chunk: LegChunk, i: number): void {
    const streams = chunk.streams[i]!;
    for (let c = 0; c < cells.length; c += cellWidth) {
      if ((streams & cells[c]!) === 0) continue;
      const place = base + cells[c + 2]!;
      switch (cells[c + 1]) {
        case kind.count:
          row[place]!--;
          break;
        case kind.sum:
          row[place]! -= chunk.amountFen[i]!;
          break;
        case kind.distinct: {
          const pair = chunk.pair[i]!;
          if (pairs.chunk(pair)[pairs.base(pair) + pairColumn.fixed + cells[c + 3]!] === slot) row[place]!--;
          break;
        }
        default:
          if (row[place] === chunk.amountFen[i]) row[place] = Number.NaN;
          break;
      }
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
      for (const stream of dayStreams) {
        if (stream.when && !stream.when(leg)) continue;
        const slot = link(leg, startOfDayMs(closing + 1) - 1, leg.dayDebitFen + leg.dayCreditFen, -1);
        count(row, base, slot, stream.bit);
      }
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
    if (head < 0 ? leg.late : leg.timeMs < legs.timeMs(head)) return;
    row[base + column.lotsLeftFen]! += leg.view.amountFen;
    if (head >= 0) return;
    row[base + column.lotHead] = leg.slot;
    row[base + column.lotLeftFen] = leg.view.amountFen;
    row[base + column.lotCounted] = 0;
  }

  /** Credits that nobody spent for so long count as old balance. */
  function forgetOldLots({ row, base, clockMs }: Evaluation): void {
    for (;;) {
      const head = row[base + column.lotHead]!;
      if (head < 0 || legs.timeMs(head) > clockMs - lotMemoryMs) return;
      row[base + column.lotsLeftFen]! -= row[base + column.lotLeftFen]!;
      openLot(row, base, legs.chunks[head >>> chunkBits]!.next[head & at]!);
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
      const chunk = legs.chunks[head >>> chunkBits]!;
      const i = head & at;
      const taken = Math.min(left, row[base + column.lotLeftFen]!);
      left -= taken;
      row[base + column.lotLeftFen]! -= taken;
      row[base + column.lotsLeftFen]! -= taken;
      const lotFen = chunk.amountFen[i]!;
      for (const stream of lotStreams) countLot(leg, stream, head, lotFen);
      if (row[base + column.lotLeftFen]! > 0) return;
      openLot(row, base, chunk.next[i]!);
    }
  }

  /** A lot that is spent far enough and fast enough becomes a leg of the stream, once. */
  function countLot(leg: Evaluation, stream: PlannedStream, head: number, lotFen: number): void {
    const { row, base } = leg;
    const counted = row[base + column.lotCounted]!;
    if ((counted & stream.bit) !== 0) return;
    if (lotFen - row[base + column.lotLeftFen]! < stream.share * lotFen) return;
    row[base + column.lotCounted] = counted | stream.bit;
    leg.lotAmountFen = lotFen;
    leg.lotDwellMs = leg.timeMs - legs.timeMs(head);
    if (leg.lotDwellMs > stream.withinMs || leg.lotDwellMs < 0) return;
    if (stream.when && !stream.when(leg)) return;
    const slot = link(leg, leg.timeMs, lotFen, legs.chunks[head >>> chunkBits]!.pair[head & at]!);
    count(row, base, slot, stream.bit);
  }

  /** The next credit from `slot` on becomes the oldest open lot. */
  function openLot(row: Float64Array, base: number, from: number): void {
    let slot = from;
    while (slot >= 0) {
      const chunk = legs.chunks[slot >>> chunkBits]!;
      if ((chunk.streams[slot & at]! & baseBit.credit) !== 0) {
        row[base + column.lotHead] = slot;
        row[base + column.lotLeftFen] = chunk.amountFen[slot & at]!;
        row[base + column.lotCounted] = 0;
        return;
      }
      slot = chunk.next[slot & at]!;
    }
    row[base + column.lotHead] = -1;
    row[base + column.lotLeftFen] = 0;
    row[base + column.lotsLeftFen] = 0;
  }

  /** Takes a leg out of everything that still names it. */
  function unlink(slot: number): void {
    const chunk = legs.chunks[slot >>> chunkBits]!;
    const i = slot & at;
    const account = chunk.subject[i]!;
    const number = rows.rowOf(account);
    const row = rows.chunk(number);
    const base = rows.base(number);
    for (let w = 0; w < sliding.length; w++) {
      const headColumn = headColumns[w]!;
      // Inside are all legs from the head on in time; a late leg may stand before older arrivals.
      if (row[base + headColumn + 1]! > chunk.timeMs[i]!) continue;
      drop(row, base, slidingCells[w]!, slot, chunk, i);
      if (row[base + headColumn] !== slot) continue;
      const next = chunk.next[i]!;
      row[base + headColumn] = next;
      row[base + headColumn + 1] = next < 0 ? Infinity : legs.timeMs(next);
    }
    if (row[base + column.lotHead] === slot) {
      row[base + column.lotsLeftFen]! -= row[base + column.lotLeftFen]!;
      openLot(row, base, chunk.next[i]!);
    }
    const previous = chunk.previous[i]!;
    const next = chunk.next[i]!;
    if (previous >= 0) legs.chunks[previous >>> chunkBits]!.next[previous & at] = next;
    else row[base + column.oldest] = next;
    if (next >= 0) legs.chunks[next >>> chunkBits]!.previous[next & at] = previous;
    else row[base + column.newest] = previous;
    const pair = chunk.pair[i]!;
    if (pair < 0) return;
    const pairRow = pairs.chunk(pair);
    const pairBase = pairs.base(pair);
    for (let c = pairColumn.lastLeg; c < pairColumn.fixed + distinctBits.length; c++) if (pairRow[pairBase + c] === slot) pairRow[pairBase + c] = -1;
  }

  return {
    advance(leg) {
      const { row, base, clockMs } = leg;
      if (clockMs !== startsForMs) {
        startsForMs = clockMs;
        for (let w = 0; w < sliding.length; w++) startsMs[w] = sliding[w]!.window.startMs(clockMs);
      }
      for (let w = 0; w < headColumns.length; w++) {
        if (row[base + headColumns[w]! + 1]! <= startsMs[w]!) expire(row, base, w, startsMs[w]!);
      }
      if (!keepsDays) return;
      const day = dayNumber(clockMs);
      if (day > row[base + column.day]!) closeDay(leg, day);
    },
    add(leg, bits) {
      const { row, base, view } = leg;
      leg.slot = link(leg, leg.timeMs, view.amountFen, leg.pair);
      const pairRow = pairs.chunk(leg.pair);
      const pairBase = pairs.base(leg.pair);
      legs.chunks[leg.slot >>> chunkBits]!.previousOfPair[leg.slot & at] = pairRow[pairBase + pairColumn.lastLeg]!;
      pairRow[pairBase + pairColumn.lastLeg] = leg.slot;
      count(row, base, leg.slot, bits);
      if (keepsDays && leg.day === row[base + column.day]) {
        row[base + (leg.isDebit ? column.dayDebitFen : column.dayCreditFen)]! += view.amountFen;
        row[base + column.dayCount]!++;
      }
      if (!leg.late) row[base + column.balanceFen] = leg.self.balanceFen;
    },
    join: (leg, bits) => count(leg.row, leg.base, leg.slot, bits),
    settleLots(leg) {
      if (!keepsLots) return;
      forgetOldLots(leg);
      if (leg.isDebit) spend(leg);
      else openOrQueueLot(leg);
    },
    sweep(beforeMs) {
      for (let index = legs.oldestBefore(beforeMs); index >= 0; index = legs.oldestBefore(beforeMs)) {
        const used = legs.chunks[index]!.used;
        for (let i = 0; i < used; i++) unlink((index << chunkBits) | i);
        legs.release();
      }
    },
  };
}

const cellWidth = 4;
const kind = { count: 0, sum: 1, distinct: 2, max: 3, min: 4 } as const;

/** A window's cells as plain numbers for the inner loop: stream bit, kind, column, place among the counted streams. */
function packCells({ cells }: PlannedWindow, distinctBits: readonly number[]): Int32Array {
  return Int32Array.from(cells.flatMap((cell) => [cell.bit, cellKinds.indexOf(cell.kind), cell.column, distinctBits.indexOf(cell.bit)]));
}
