import { formatShanghai } from '../domain/bank-day.js';
import type { Event } from '../domain/event.js';
import { derivedId } from '../domain/identity.js';
import { transactionBytesMax } from '../domain/transaction.js';

/** What stands on the topic `rejected`: one event for each record that was not taken, with why and the record itself. */
export interface RejectedRecord {
  /** The bank that sent it, '' where it is not known. */
  readonly bank: string;
  /** Line of the body, from 1; 0 where the record was refused later than at the border. */
  readonly line: number;
  readonly reason: string;
  /** Path of the field at fault, '' for the record as a whole. */
  readonly field: string;
  readonly message: string;
  readonly id?: string;
  /** The record's text, at most 16 KiB of it. Holds whole account numbers: never log it. */
  readonly raw: string;
  /** For a conflict: hashes of what this record and the one kept before say, and the day on which the other came in. */
  readonly content?: string;
  readonly earlierContent?: string;
  readonly earlierDay?: string;
}

export type RejectedEvent = Event<'transaction.rejected', RejectedRecord>;

const decoder = new TextDecoder('utf-8');

/** At most the first 16 KiB, whatever bytes they are. */
export function rawText(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, Math.min(end, start + transactionBytesMax)));
}

/** The same wrong record sent again is the same refusal: its id derives from the bank, the reason and the text. */
export function rejectedEvent(record: RejectedRecord, source: string, nowMs: number): RejectedEvent {
  const id = derivedId('rejected', record.bank, record.reason, record.raw);
  return { id, type: 'transaction.rejected', source, subject: record.id ?? id, time: formatShanghai(nowMs), data: record };
}
