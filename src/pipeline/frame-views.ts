import type { TransactionView } from '../scoring/transaction-view.js';
import { packView, unpackView, viewDoubles, viewWords } from './view-codec.js';

/**
 * What the reader found in each transaction of a body, as numbers; spans count from the beginning of the record. Threads share it:
 * whoever has it only reads it.
 */
export interface ViewTable {
  readonly words: Int32Array;
  readonly doubles: Float64Array;
}

export interface ViewKeeper {
  /** Keeps what the view says now; the row that it is in. */
  keep(view: TransactionView): number;
  table(): ViewTable;
}

/** Bytes of a usual record: so many rows are made ready for a body. */
const usualBytes = 400;

export function createViewKeeper(bodyBytes: number): ViewKeeper {
  let rows = 0;
  let room = Math.ceil(bodyBytes / usualBytes) + 1;
  let words = sharedWords(room);
  let doubles = sharedDoubles(room);

  function widen(): void {
    room *= 2;
    const [fewWords, fewDoubles] = [words, doubles];
    words = sharedWords(room);
    doubles = sharedDoubles(room);
    words.set(fewWords);
    doubles.set(fewDoubles);
  }

  return {
    keep(view) {
      if (rows === room) widen();
      packView(view, -view.start, words, rows * viewWords, doubles, rows * viewDoubles);
      return rows++;
    },
    table: () => ({ words, doubles }),
  };
}

const sharedWords = (rows: number) => new Int32Array(new SharedArrayBuffer(rows * viewWords * Int32Array.BYTES_PER_ELEMENT));
const sharedDoubles = (rows: number) =>
  new Float64Array(new SharedArrayBuffer(rows * viewDoubles * Float64Array.BYTES_PER_ELEMENT));

/** The rows of one frame's entries; -1 for an entry of which none was kept. */
export interface KnownFrame {
  readonly table: ViewTable;
  readonly rows: Int32Array;
}

/**
 * What this process read of the transactions that it put on the log, for its own scorer: it need not read them again. It is
 * found by the name of the frame, which no other frame has. A frame that is not found here is read; that gives the same.
 */
export interface FrameViews {
  /** Of a frame that was never put before. */
  put(name: string, known: KnownFrame): void;
  /** Of the frame with this name, once. */
  take(name: string): KnownFrame | undefined;
  /** The frame did not reach the log. */
  forget(name: string): void;
}

/** `bytesMax`: of the tables of all that is kept; beyond it the oldest goes. A table stays as long as one frame of its body. */
export function createFrameViews(bytesMax: number): FrameViews {
  const byName = new Map<string, KnownFrame>();
  const framesOf = new Map<ViewTable, number>();
  let bytes = 0;

  function take(name: string): KnownFrame | undefined {
    const known = byName.get(name);
    if (!known) return undefined;
    byName.delete(name);
    const left = framesOf.get(known.table)! - 1;
    if (left > 0) framesOf.set(known.table, left);
    else if (framesOf.delete(known.table)) bytes -= bytesOf(known.table);
    return known;
  }

  return {
    put(name, known) {
      const frames = framesOf.get(known.table) ?? 0;
      if (frames === 0) bytes += bytesOf(known.table);
      framesOf.set(known.table, frames + 1);
      byName.set(name, known);
      for (const oldest of byName.keys()) {
        if (bytes <= bytesMax) return;
        take(oldest);
      }
    },
    take,
    forget: (name) => void take(name),
  };
}

const bytesOf = ({ words, doubles }: ViewTable): number => words.byteLength + doubles.byteLength;

/** Fills the view with a row; the record's own bytes are `bytes[start, end)`. False where the row is of a record of another length. */
export function viewOfRow(
  { words, doubles }: ViewTable,
  row: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  view: TransactionView,
): boolean {
  view.bytes = bytes;
  unpackView(view, start, words, row * viewWords, doubles, row * viewDoubles);
  return view.end === end;
}
