import { sketchColumns } from './amount-sketch.js';
import { dayMs } from '../domain/bank-day.js';
import type { Window } from './window.js';

/** Columns of a subject's row that every plan has; windows, cells and sketches follow. */
export const column = {
  clockMs: 0,
  newest: 1,
  oldest: 2,
  /** First of the subject's windows over named streams (see `named-windows.ts`), -1 without any. */
  named: 3,
  day: 4,
  dayDebitFen: 5,
  dayCreditFen: 6,
  dayCount: 7,
  balanceFen: 8,
  /** Oldest credit that is not wholly spent (a slot), what is left of it, which `lots` streams have counted it already. */
  lotHead: 9,
  lotLeftFen: 10,
  lotCounted: 11,
  /** What is left of all open lots together. */
  lotsLeftFen: 12,
  lotHeadMs: 13,
  fixed: 14,
} as const;

export const cellKinds = ['count', 'sum', 'distinct', 'max', 'min'] as const;
export type CellKind = (typeof cellKinds)[number];

/** One number kept up to date per subject: an aggregate of a base stream over a window. */
export interface Cell {
  readonly bit: number;
  readonly kind: CellKind;
  readonly column: number;
}

/** A window over base streams: it shares the subject's chain of legs. */
export interface PlannedWindow {
  readonly window: Window;
  /** Column of the oldest leg inside; its time is in the next column. -1 for `ever`. */
  readonly headColumn: number;
  readonly cells: Cell[];
}

/** A window over one named stream, or over a base stream for longer than single legs are kept: it has a queue of its own. */
export interface NamedWindow {
  readonly window: Window;
  readonly stream: StreamRef;
  /** One event a day instead of one a leg: windows over base streams that are longer than `chainMsMax`. */
  readonly isByDay: boolean;
  /** Whether anything is asked about its counterparties or one of them. */
  isPaired: boolean;
  /** Whether its largest or smallest amount is asked for. */
  keepsExtremes: boolean;
}

/** What of a window is kept besides the number and the sum of its events. */
export type AskedOfWindow = Partial<Pick<NamedWindow, 'isPaired' | 'keepsExtremes'>>;

/** A base stream has a bit and index -1, a named one an index and no bit. */
export interface StreamRef {
  readonly name: string;
  readonly bit: number;
  readonly index: number;
}

export interface PlannedStream {
  readonly key: string;
  readonly index: number;
  readonly of: 'debit' | 'credit' | 'any' | 'day' | 'lots';
  readonly share: number;
  readonly withinMs: number;
  /** Some pattern asks about it on personal accounts too. */
  forPersonal: boolean;
  /** Its condition as code; undefined until it is compiled, and where there is none. */
  code: string | undefined;
  /** Asks about history, so it is decided after the leg is in. */
  usesHistory: boolean;
  /** The bit that its legs carry in the leg log, where somebody looks for them among the legs of a pair; else 0. */
  mark: number;
}

export interface PlannedSketch {
  readonly bit: number;
  readonly windowMs: number;
  readonly column: number;
}

export interface PlannedBaseline {
  readonly bit: number;
  readonly bucketMs: number;
  readonly halfLifeMs: number;
}

const headColumns = 2;

export const baseBit = { debit: 1, credit: 2, any: 4 } as const;
/** Bits of a leg's streams behind the base ones. */
const firstMark = 8;
const lastMark = 2 ** 30;
export const streamsMax = 500;
/** Bits of `lotCounted`. */
const lotStreamsMax = 30;
/** How long a credit waits to be spent before it counts as old balance. */
export const lotMemoryMs = 7 * dayMs;
/** Windows over base streams are exact to the millisecond up to this span; longer ones go by whole days. */
export const chainMsMax = 31 * dayMs;

/** A payment between two that had nothing with each other for so long begins a path of money. */
export const firstContactMs = 180 * dayMs;

/** What else a set asks the engine to keep; nothing is kept that no pattern asks about. */
export const keptFacts = ['pairCounts', 'names', 'uses', 'kin', 'traces', 'gathered', 'personal', 'amounts'] as const;
export type KeptFact = (typeof keptFacts)[number];

/**
 * What the engine keeps for each subject, collected from all patterns of a set so that nothing is kept twice.
 * Equal `key()` means equal state, so a set may be swapped without a rebuild.
 */
export interface Plan {
  readonly windows: PlannedWindow[];
  readonly named: NamedWindow[];
  readonly streams: PlannedStream[];
  readonly sketches: PlannedSketch[];
  readonly baselines: PlannedBaseline[];
  /** Names of the lists that conditions ask about. */
  readonly lists: string[];
  /** Bits of the base streams whose counterparties are counted; the place in the array is the pair table's extra column. */
  readonly distinctBits: number[];
  readonly width: number;
  /** Longest history of single legs that anything looks back on, in milliseconds. */
  readonly legsMs: number;
  /** Longest memory of any kind that a condition asks for, in milliseconds: a new pattern is warm after so long. */
  readonly memoryMs: number;
  /** The named window that counts an account's first payments of the last days, for paths of money; -1 where none are kept. */
  readonly firstContacts: number;
  key(): string;
  keep(fact: KeptFact): void;
  keeps(fact: KeptFact): boolean;
  cell(window: Window, bit: number, kind: CellKind): number;
  namedWindow(stream: StreamRef, window: Window, asked?: AskedOfWindow): number;
  sketch(bit: number, windowMs: number): number;
  baseline(bit: number, bucketMs: number, halfLifeMs: number): number;
  list(name: string): number;
  countFirstContacts(window: Window): void;
  /** The bit that marks the legs of a named stream in the leg log; 0 when all bits are taken. */
  mark(stream: StreamRef): number;
  /** The stream with this meaning, made on first sight; undefined when all places are taken. */
  stream(definition: Pick<PlannedStream, 'key' | 'of' | 'share' | 'withinMs'>): PlannedStream | undefined;
  /** Single legs are asked about as far back as this. */
  lookBack(spanMs: number): void;
  remember(spanMs: number): void;
}

/** `windowsFirst`: windows that are known to come, so that what every leg looks at lies together at the row's beginning. */
export function createPlan(windowsFirst: readonly Window[] = []): Plan {
  const windows: PlannedWindow[] = [];
  const named: NamedWindow[] = [];
  const streams: PlannedStream[] = [];
  const sketches: PlannedSketch[] = [];
  const baselines: PlannedBaseline[] = [];
  const lists: string[] = [];
  const distinctBits: number[] = [];
  const kept = new Set<KeptFact>();
  let width: number = column.fixed;
  let legsMs = 0;
  let memoryMs = 0;
  let firstContacts = -1;
  let nextMark = firstMark;

  function remember(spanMs: number): void {
    if (spanMs !== Infinity && spanMs > memoryMs) memoryMs = spanMs;
  }

  function lookBack(spanMs: number): void {
    remember(spanMs);
    if (spanMs !== Infinity && spanMs > legsMs) legsMs = Math.min(spanMs, chainMsMax);
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

  return {
    windows,
    named,
    streams,
    sketches,
    baselines,
    lists,
    distinctBits,
    get width() {
      return width;
    },
    get legsMs() {
      return legsMs;
    },
    get memoryMs() {
      return memoryMs;
    },
    get firstContacts() {
      return firstContacts;
    },
    key: () =>
      JSON.stringify([
        windows.map(({ window, cells }) => [window.text, cells]),
        named.map(({ window, stream, isPaired, keepsExtremes }) => [
          window.text,
          stream.bit,
          stream.index,
          isPaired,
          keepsExtremes,
        ]),
        streams.map(({ key, index, mark }) => [key, index, mark]),
        sketches,
        baselines,
        lists,
        distinctBits,
        legsMs,
        [...kept].toSorted(),
      ]),
    keep: (fact) => void kept.add(fact),
    keeps: (fact) => kept.has(fact),
    cell(window, bit, kind) {
      const planned = windowFor(window);
      const known = planned.cells.find((cell) => cell.bit === bit && cell.kind === kind);
      if (known) return known.column;
      if (kind === 'distinct' && !distinctBits.includes(bit)) distinctBits.push(bit);
      const cell: Cell = { bit, kind, column: width++ };
      planned.cells.push(cell);
      return cell.column;
    },
    namedWindow(stream, window, { isPaired = false, keepsExtremes = false } = {}) {
      remember(window.spanMsMax);
      const known = named.findIndex(
        (planned) =>
          planned.window.text === window.text && planned.stream.index === stream.index && planned.stream.bit === stream.bit,
      );
      if (known >= 0) {
        named[known]!.isPaired ||= isPaired;
        named[known]!.keepsExtremes ||= keepsExtremes;
        return known;
      }
      return named.push({ stream, window, isByDay: stream.index < 0, isPaired, keepsExtremes }) - 1;
    },
    sketch(bit, windowMs) {
      remember(windowMs);
      const known = sketches.findIndex((sketch) => sketch.bit === bit && sketch.windowMs === windowMs);
      if (known >= 0) return known;
      sketches.push({ bit, windowMs, column: width });
      width += sketchColumns;
      return sketches.length - 1;
    },
    baseline(bit, bucketMs, halfLifeMs) {
      remember(halfLifeMs);
      const known = baselines.findIndex(
        (baseline) => baseline.bit === bit && baseline.bucketMs === bucketMs && baseline.halfLifeMs === halfLifeMs,
      );
      return known >= 0 ? known : baselines.push({ bit, bucketMs, halfLifeMs }) - 1;
    },
    countFirstContacts(window) {
      if (firstContacts >= 0) return;
      const stream = this.stream({ key: 'first contacts', of: 'debit', share: 0, withinMs: 0 });
      if (!stream) return;
      const before = `leg.timeMs - ${firstContactMs}`;
      stream.code = `(leg.pairLastDebitMs <= ${before} && leg.pairLastCreditMs <= ${before})`;
      stream.usesHistory = true;
      firstContacts = this.namedWindow({ name: 'first contacts', bit: 0, index: stream.index }, window);
    },
    list(name) {
      const known = lists.indexOf(name);
      return known >= 0 ? known : lists.push(name) - 1;
    },
    mark({ index }) {
      const stream = streams[index];
      // A closed day has no counterparty, and a spent lot is joined by a leg that came before.
      if (!stream || stream.of === 'day' || stream.of === 'lots') return 0;
      if (stream.mark === 0 && nextMark <= lastMark) {
        stream.mark = nextMark;
        nextMark *= 2;
      }
      return stream.mark;
    },
    stream(definition) {
      const known = streams.find((stream) => stream.key === definition.key);
      if (known) return known;
      if (streams.length >= streamsMax) return undefined;
      if (definition.of === 'lots' && streams.filter(({ of }) => of === 'lots').length >= lotStreamsMax) return undefined;
      const stream: PlannedStream = {
        ...definition,
        index: streams.length,
        forPersonal: false,
        code: undefined,
        usesHistory: false,
        mark: 0,
      };
      streams.push(stream);
      if (definition.of === 'lots') lookBack(lotMemoryMs);
      return stream;
    },
    lookBack,
    remember,
  };
}
