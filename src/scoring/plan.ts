import { sketchColumns } from './amount-sketch.js';
import { dayMs } from '../domain/bank-day.js';
import type { Window } from './window.js';
import type { Evaluation } from './evaluation.js';

/** Columns of a subject's row that every plan has; windows, cells and sketches follow. */
export const column = {
  clockMs: 0,
  newest: 1,
  oldest: 2,
  day: 3,
  dayDebitFen: 4,
  dayCreditFen: 5,
  dayCount: 6,
  balanceFen: 7,
  /** Oldest credit that is not wholly spent (a slot), what is left of it, which `lots` streams have counted it already. */
  lotHead: 8,
  lotLeftFen: 9,
  lotCounted: 10,
  /** What is left of all open lots together. */
  lotsLeftFen: 11,
  lotHeadMs: 12,
  fixed: 13,
} as const;

export const cellKinds = ['count', 'sum', 'distinct', 'max', 'min'] as const;
export type CellKind = (typeof cellKinds)[number];

/** One number kept up to date per subject: an aggregate of a stream over a window. */
export interface Cell {
  readonly bit: number;
  readonly kind: CellKind;
  readonly column: number;
}

export interface PlannedWindow {
  readonly window: Window;
  /**
   * Column of the oldest leg (or event) inside; its time is in the next column, the latest event in the one after.
   * -1 for `ever`.
   */
  readonly headColumn: number;
  readonly cells: Cell[];
}

export type BoolFunction = (leg: Evaluation) => boolean;

export interface PlannedStream {
  readonly key: string;
  readonly bit: number;
  readonly of: 'debit' | 'credit' | 'any' | 'day' | 'lots';
  when: BoolFunction | undefined;
  /** Asks about history, so it is decided after the leg is in. */
  usesHistory: boolean;
  readonly share: number;
  readonly withinMs: number;
}

/** Whether a window holds only legs of named streams: these are few, and queued by themselves. */
export function isSparse({ cells }: PlannedWindow): boolean {
  return cells.every(({ bit }) => bit > baseBit.any);
}

export interface PlannedSketch {
  readonly bit: number;
  readonly windowMs: number;
  readonly column: number;
}

const headColumns = 3;

export const baseBit = { debit: 1, credit: 2, any: 4 } as const;
const bitsMax = 31;
/** How long a credit waits to be spent before it counts as old balance. */
export const lotMemoryMs = 7 * dayMs;

/**
 * What the engine keeps for each subject, collected from all patterns of a set so that nothing is kept twice.
 * Equal `key()` means equal state, so a set may be swapped without a rebuild.
 */
export interface Plan {
  readonly windows: PlannedWindow[];
  readonly streams: PlannedStream[];
  readonly sketches: PlannedSketch[];
  /** Bits of the streams whose counterparties are counted; the place in the array is the pair table's extra column. */
  readonly distinctBits: number[];
  readonly width: number;
  /** Some pattern asks about personal accounts too: then their histories are kept. */
  keepsPersonal: boolean;
  /** Longest history of single legs that anything looks back on, in milliseconds. */
  readonly legsMs: number;
  key(): string;
  cell(window: Window, bit: number, kind: CellKind): number;
  sketch(bit: number, windowMs: number): number;
  /** The stream with this meaning, made on first sight; undefined when all bits are taken. */
  stream(definition: Omit<PlannedStream, 'bit' | 'when' | 'usesHistory'>): PlannedStream | undefined;
  lookBack(spanMs: number): void;
}

/** `windowsFirst`: windows that are known to come, so that what every leg looks at lies together at the row's beginning. */
export function createPlan(windowsFirst: readonly Window[] = []): Plan {
  const windows: PlannedWindow[] = [];
  const streams: PlannedStream[] = [];
  const sketches: PlannedSketch[] = [];
  const distinctBits: number[] = [];
  let width: number = column.fixed;
  let legsMs = 0;

  function lookBack(spanMs: number): void {
    if (spanMs !== Infinity && spanMs > legsMs) legsMs = spanMs;
  }

  function windowFor(window: Window): PlannedWindow {
    const known = windows.find((planned) => planned.window.text === window.text);
    if (known) return known;
    const isEver = window.spanMsMax === Infinity;
    const planned: PlannedWindow = { window, headColumn: isEver ? -1 : width, cells: [] };
    if (!isEver) width += headColumns;
    windows.push(planned);
    lookBack(window.spanMsMax);
    return planned;
  }

  for (const window of windowsFirst) windowFor(window);

  let keepsPersonal = false;
  return {
    windows,
    streams,
    sketches,
    distinctBits,
    get width() {
      return width;
    },
    get keepsPersonal() {
      return keepsPersonal;
    },
    set keepsPersonal(keeps) {
      keepsPersonal = keeps;
    },
    get legsMs() {
      return legsMs;
    },
    key: () =>
      JSON.stringify([
        windows.map(({ window, cells }) => [window.text, cells]),
        streams.map(({ key, bit }) => [key, bit]),
        sketches,
        distinctBits,
        legsMs,
        keepsPersonal,
      ]),
    cell(window, bit, kind) {
      const planned = windowFor(window);
      const known = planned.cells.find((cell) => cell.bit === bit && cell.kind === kind);
      if (known) return known.column;
      if (kind === 'distinct' && !distinctBits.includes(bit)) distinctBits.push(bit);
      const cell: Cell = { bit, kind, column: width++ };
      planned.cells.push(cell);
      return cell.column;
    },
    sketch(bit, windowMs) {
      const known = sketches.findIndex((sketch) => sketch.bit === bit && sketch.windowMs === windowMs);
      if (known >= 0) return known;
      sketches.push({ bit, windowMs, column: width });
      width += sketchColumns;
      return sketches.length - 1;
    },
    stream(definition) {
      const known = streams.find((stream) => stream.key === definition.key);
      if (known) return known;
      const index = streams.length + 3;
      if (index >= bitsMax) return undefined;
      const stream: PlannedStream = { ...definition, bit: 1 << index, when: undefined, usesHistory: false };
      streams.push(stream);
      if (definition.of === 'lots') lookBack(lotMemoryMs);
      return stream;
    },
    lookBack,
  };
}
