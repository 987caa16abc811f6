import type { TransactionView } from '../scoring/transaction-view.js';
import { packView, unpackView, viewDoubles, viewWords } from './view-codec.js';

/** What the reader found in each transaction of a body, as numbers; spans count from the beginning of the record. */
export interface ViewTable {
  readonly words: Int32Array<ArrayBuffer>;
  readonly doubles: Float64Array<ArrayBuffer>;
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
  let words = new Int32Array(room * viewWords);
  let doubles = new Float64Array(room * viewDoubles);

  function widen(): void {
    room *= 2;
    const [fewWords, fewDoubles] = [words, doubles];
    words = new Int32Array(room * viewWords);
    doubles = new Float64Array(room * viewDoubles);
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
  put(name: string, known: KnownFrame): void;
  /** Of the frame with this name, once. */
  take(name: string): KnownFrame | undefined;
}

const rowBytes = viewWords * 4 + viewDoubles * 8;

/** `bytesMax`: beyond it the oldest goes. The rows of a transaction count once for each frame that it is in. */
export function createFrameViews(bytesMax: number): FrameViews {
  const byName = new Map<string, KnownFrame>();
  let bytes = 0;

  function take(name: string): KnownFrame | undefined {
    const known = byName.get(name);
    if (known && byName.delete(name)) bytes -= known.rows.length * rowBytes;
    return known;
  }

  return {
    put(name, known) {
      take(name);
      byName.set(name, known);
      bytes += known.rows.length * rowBytes;
      for (const oldest of byName.keys()) {
        if (bytes <= bytesMax) return;
        take(oldest);
      }
    },
    take,
  };
}

/** Fills the view with a row; the record's own bytes are `bytes[start, end)`. False where the row is of a record of another length. */
export function viewOfRow(
  { words, doubles }: ViewTable,
  row: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  view: TransactionView,
) {
  view.bytes = bytes;
  unpackView(view, start, words, row * viewWords, doubles, row * viewDoubles);
  return view.end === end;
}
