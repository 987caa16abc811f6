import type { Hit } from '../domain/hit.js';
import type { CalendarData } from '../domain/calendar.js';
import type { Reference } from '../domain/reference.js';
import type { PatternSource } from '../scoring/pattern-set.js';
import type { TransactionView } from '../scoring/transaction-view.js';
import type { FileEngineStats } from './file-engines.js';
import { packView, unpackView, viewDoubles, viewWords } from './view-codec.js';

/**
 * A slot: shared memory with some thousand transactions, filled by the thread that reads and emptied by those that score.
 * The records' bytes lie in it as they stood in the file; beside them what the reader found, as numbers.
 */
export interface SlotMemory {
  readonly bytes: SharedArrayBuffer;
  readonly words: SharedArrayBuffer;
  readonly doubles: SharedArrayBuffer;
}

export interface Slot {
  readonly memory: SlotMemory;
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
}

export const slotBytes = 1 << 20;
/** Bytes that are split into lines between two looks at the room that is left. */
export const pieceBytes = 1 << 16;
/** No transaction is shorter, see `scanTransaction`. */
const recordBytesMin = 32;
/** A line that began before the piece, and one that ends the file, may come on top. */
const recordsOfPieceMax = pieceBytes / recordBytesMin + 2;
const recordsMax = 4 * recordsOfPieceMax;

/** One word more than the view has: in which bytes its record lies. */
const rowWords = viewWords + 1;
const inSlot = 0;
const inExtras = 1;

export function createSlot(): Slot {
  return openSlot({
    bytes: new SharedArrayBuffer(slotBytes),
    words: new SharedArrayBuffer(recordsMax * rowWords * 4),
    doubles: new SharedArrayBuffer(recordsMax * viewDoubles * 8),
  });
}

export function openSlot(memory: SlotMemory): Slot {
  return {
    memory,
    bytes: Buffer.from(memory.bytes),
    words: new Int32Array(memory.words),
    doubles: new Float64Array(memory.doubles),
  };
}

/** Whether another piece surely fits behind `bytes` bytes and `records` records. */
export function hasRoom(bytes: number, records: number): boolean {
  return bytes + pieceBytes <= slotBytes && records + recordsOfPieceMax <= recordsMax;
}

/** Puts a view down as record `i`. `shift`: where its bytes lie in the slot (or in the extras), less where the view says. */
export function putRecord(slot: Slot, i: number, view: TransactionView, shift: number, isInSlot: boolean): void {
  const at = i * rowWords;
  slot.words[at] = isInSlot ? inSlot : inExtras;
  packView(view, shift, slot.words, at + 1, slot.doubles, i * viewDoubles);
}

/** Record `i` again. `bytes` are the slot's, `extras` those of records that did not lie in it. */
export function takeRecord(slot: Slot, i: number, view: TransactionView, bytes: Uint8Array, extras: Uint8Array): void {
  const at = i * rowWords;
  view.bytes = slot.words[at] === inSlot ? bytes : extras;
  unpackView(view, 0, slot.words, at + 1, slot.doubles, i * viewDoubles);
}

/** What a scoring thread starts with. */
export interface ScoreWorkerData {
  readonly sources: readonly PatternSource[];
  readonly calendar: CalendarData;
  readonly partitions: number;
  readonly slots: readonly SlotMemory[];
}

/** A slot to score. */
export interface SlotOrder {
  readonly kind: 'slot';
  readonly slot: number;
  readonly records: number;
  /** The first so many records and references only bring the state on. */
  readonly warmRecords: number;
  readonly extras: Uint8Array;
  /** Reference records, each with the number of the slot's transactions before it. */
  readonly references: readonly { readonly before: number; readonly isWarm: boolean; readonly reference: Reference }[];
}

export type ScoreOrder = SlotOrder | { readonly kind: 'stats' };

export type ScoreAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'scored'; readonly slot: number; readonly hits: Hit[] }
  | { readonly kind: 'stats'; readonly stats: FileEngineStats };
