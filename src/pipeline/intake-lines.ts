import { role } from '../domain/frame.js';
import { partitionOf, partitionOfHash } from '../domain/partition.js';
import { encodeReference, isReferenceRecord, parseReference, routesOf } from '../domain/reference-record.js';
import type { Reference } from '../domain/reference.js';
import { transactionTimeMs } from '../domain/event-time.js';
import { encodeTransaction, parseTransaction, type RejectReason } from '../domain/transaction-record.js';
import { readTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';
import type { Claim } from './claims.js';
import { contentHash, hashContent } from './content-hash.js';
import type { ViewKeeper } from './frame-views.js';
import { hashed, type HashKey, keyedHash } from './keyed-hash.js';

/** What one line of a body turned out to be. */
export type Line = Candidate | RefusedLine;

interface LineFacts {
  /** From 1. */
  readonly number: number;
  readonly id?: string;
  /** Reporting bank, '' where it is not known. */
  readonly bank: string;
  /** The record: the line as it came, or its canonical form where only the complete reader understood it. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

export interface Candidate extends LineFacts, Claim {
  readonly kind: 'candidate';
  readonly id: string;
  /** Of a transaction; -1 for a reference record. */
  readonly payerPartition: number;
  readonly payeePartition: number;
  /** Its row in the body's table of views; -1 where none was kept, as for a reference record. */
  readonly viewRow: number;
  /** Of a reference record: those that get it, the one that stands for it first. Null for a transaction. */
  readonly partitions: readonly number[] | null;
  /** The body that it came in. */
  readonly attempt: string;
  /** Why it does not go to the log; undefined while it does. */
  outcome: { kind: 'duplicate' } | { kind: 'conflict'; earlierContent: string; earlierDay: string | undefined } | undefined;
}

interface RefusedLine extends LineFacts {
  readonly kind: 'refused';
  readonly refusal: Refusal;
}

export interface Refusal {
  readonly reason: RejectReason;
  readonly field: string;
  readonly message: string;
}

interface BodyFacts {
  readonly attempt: string;
  /** The bank that the caller's key is bound to. */
  readonly bank: string | undefined;
  /** The caller is a bank, bound to one number or not. */
  readonly isBank: boolean;
  readonly receivedAtMs: number;
  /** False only where the line cannot be a reference record with its `type` in plain letters. */
  readonly mayHaveType: (start: number, end: number) => boolean;
  /** Set where the body may hold nothing else. */
  readonly only?: 'references' | undefined;
  /** Where what was found in transactions is kept. */
  readonly views: ViewKeeper | null;
}

export type ReadLine = (bytes: Buffer, start: number, end: number, number: number, body: BodyFacts) => Line;

export interface LineReaderOptions {
  readonly partitions: number;
  readonly futureMsMax: number;
  /** Of the identities' hashes. */
  readonly hashKey: HashKey;
  /** What is found in transactions is kept for the scorer of this process. */
  readonly keepsViews: boolean;
}

/** Reads one line and applies the rules that a record alone can break. */
export function createLineReader({ partitions, futureMsMax, hashKey }: LineReaderOptions): ReadLine {
  const view = new TransactionView();
  const identity = Buffer.alloc(identityBytesMax);
  const everyPartition = Array.from({ length: partitions }, (_, partition) => partition);

  return (bytes, start, end, number, body) => {
    const { attempt, bank: keyBank, receivedAtMs, only } = body;
    if (body.mayHaveType(start, end) && isReferenceRecord(bytes, start, end)) {
      return readReference(bytes, start, end, number, body);
    }
    const rejection = readTransaction(bytes, start, end, view);
    // What the fast reader did not take may spell its `type` with escapes.
    const isPlain = !rejection && view.bytes === bytes;
    if (!isPlain && isReferenceRecord(bytes, start, end)) return readReference(bytes, start, end, number, body);
    if (only === 'references') {
      return refuse(bytes, start, end, number, keyBank, rejection ? whyNoReference(bytes, start, end) : isTransaction);
    }
    if (rejection) return refuse(bytes, start, end, number, keyBank, rejection);
    const record = asBuffer(view.bytes);
    const id = record.toString('latin1', view.idStart, view.idEnd);
    const named = slice(record, view.bankStart, view.bankEnd);
    const payerBank = named !== '' && keyBank === undefined ? '' : slice(record, view.payer.bankStart, view.payer.bankEnd);
    // A bank with a key of its own reports as itself, also where it is the payee's bank: nobody can use up another bank's ids.
    const bank = keyBank ?? (named !== '' ? named : payerBank);
    const refusal = ruleBroken(record, named, payerBank, keyBank, receivedAtMs);
    if (refusal) return { kind: 'refused', number, id, bank, bytes: record, start: view.start, end: view.end, refusal };
    hashRecord(view);
    hashIdentity(bank, slash, record, view.idStart, view.idEnd);
    return {
      kind: 'candidate',
      number,
      id,
      bank,
      bytes: record,
      start: view.start,
      end: view.end,
      attempt,
      outcome: undefined,
      identityLow: hashed[0]!,
      identityHigh: hashed[1]!,
      timeMs: view.timeMs,
      contentLow: contentHash[0]!,
      contentHigh: contentHash[1]!,
      payerPartition: partitionOfHash(view.payer.accountHash, partitions),
      payeePartition: partitionOfHash(view.payee.accountHash, partitions),
      viewRow: body.views ? body.views.keep(view) : -1,
      partitions: null,
    };
  };

  function readReference(bytes: Buffer, start: number, end: number, number: number, body: BodyFacts): Line {
    const { attempt, bank: keyBank } = body;
    const reading = parseReference(bytes, start, end);
    if (!reading.ok) return refuse(bytes, start, end, number, keyBank, reading);
    const { id, time } = reading.reference;
    const bank = keyBank ?? reading.reference.bank ?? '';
    const timeMs = transactionTimeMs(time);
    const refusal = referenceRuleBroken(reading.reference, timeMs, body);
    if (refusal) return { kind: 'refused', number, id, bank, bytes, start, end, refusal };
    // Who said it stands on the log, whether or not the sender wrote it.
    const reference = bank === '' ? reading.reference : { ...reading.reference, bank };
    const record = asBuffer(encodeReference(reference));
    if (!hashContent(record, 0, record.length, true)) throw new Error('canonical JSON nests deeper than a record may');
    const idBytes = Buffer.from(id, 'latin1');
    hashIdentity(bank, space, idBytes, 0, idBytes.length);
    return {
      kind: 'candidate',
      number,
      id,
      bank,
      bytes: record,
      start: 0,
      end: record.length,
      attempt,
      outcome: undefined,
      identityLow: hashed[0]!,
      identityHigh: hashed[1]!,
      timeMs,
      contentLow: contentHash[0]!,
      contentHigh: contentHash[1]!,
      payerPartition: -1,
      payeePartition: -1,
      viewRow: -1,
      partitions: partitionsOf(reference),
    };
  }

  function partitionsOf(reference: Reference): readonly number[] {
    const routes = routesOf(reference);
    return routes === 'all' ? everyPartition : [...new Set(routes.map((key) => partitionOf(key, partitions)))];
  }

  function referenceRuleBroken({ type, bank }: Reference, timeMs: number, body: BodyFacts): Refusal | null {
    if (body.isBank && centreTypes.has(type)) return centreOnly(type);
    if (timeMs > body.receivedAtMs + futureMsMax) return futureDated();
    return body.bank !== undefined && bank !== undefined && bank !== body.bank ? otherBank : null;
  }

  /**
   * What makes two reports the same record: who reports it and that bank's own number for it. `between` keeps the numbers of
   * transactions and of reference records apart. Leaves it in `hashed`.
   */
  function hashIdentity(bank: string, between: number, id: Uint8Array, idStart: number, idEnd: number): void {
    let at = 0;
    for (let i = 0; i < bank.length; i++) identity[at++] = bank.charCodeAt(i);
    identity[at++] = between;
    for (let i = idStart; i < idEnd; i++) identity[at++] = id[i]!;
    keyedHash(identity, at, hashKey);
  }

  function futureDated(): Refusal {
    const message = `lies more than ${Math.round(futureMsMax / 1000)} s in the future; check the clock and the time zone`;
    return { reason: 'future-dated', field: 'time', message };
  }

  function ruleBroken(
    record: Buffer,
    named: string,
    payerBank: string,
    keyBank: string | undefined,
    nowMs: number,
  ): Refusal | null {
    if (view.timeMs > nowMs + futureMsMax) return futureDated();
    if (keyBank === undefined) return null;
    if (named !== '') {
      return named === keyBank ? null : otherBank;
    }
    if (payerBank === keyBank || slice(record, view.payee.bankStart, view.payee.bankEnd) === keyBank) return null;
    const message =
      'neither the payer nor the payee is at the bank that this key belongs to; a bank reports its own accounts only';
    return { reason: 'invalid', field: 'payer.bank', message };
  }
}

/** A bank code has at most 14 characters, a transaction's id 64. */
const identityBytesMax = 96;
const slash = 0x2f;
/** Neither a bank's number nor an id holds one. */
const space = 0x20;

const otherBank: Refusal = { reason: 'invalid', field: 'bank', message: 'is not the bank that this key belongs to' };
/** They count for accounts of every bank, and nothing in them says whose account it is. */
const centreTypes: ReadonlySet<Reference['type']> = new Set(['list', 'case-account', 'exchange-rate']);
const centreOnly = (type: string): Refusal => ({
  reason: 'invalid',
  field: 'type',
  message: `a bank may not send ${type} records, which count for the accounts of every bank; send them with a key of the centre`,
});
const isTransaction: Refusal = {
  reason: 'invalid',
  field: 'type',
  message: 'this is a transaction; send it to /v1/transactions, which takes both',
};

function refuse(
  bytes: Buffer,
  start: number,
  end: number,
  number: number,
  bank: string | undefined,
  { reason, field, message }: Refusal,
): RefusedLine {
  return { kind: 'refused', number, bank: bank ?? '', bytes, start, end, refusal: { reason, field, message } };
}

function whyNoReference(bytes: Buffer, start: number, end: number): Refusal {
  const reading = parseReference(bytes, start, end);
  if (reading.ok) throw new Error('a line that is no reference record was read as one');
  return reading;
}

/** Leaves the hash of what the viewed record says in `contentHash`. */
export function hashRecord(view: TransactionView): void {
  if (hashContent(view.bytes, view.start, view.end)) return;
  const reading = parseTransaction(view.bytes, view.start, view.end);
  if (!reading.ok) throw new Error(`a record that the fast reader takes is refused by the complete one: ${reading.message}`);
  const canonical = encodeTransaction(reading.transaction);
  if (!hashContent(canonical, 0, canonical.length, true)) throw new Error('canonical JSON nests deeper than a record may');
}

function slice(record: Buffer, start: number, end: number): string {
  return start < 0 ? '' : record.toString('latin1', start, end);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Which of a transaction's legs belong to a partition, or that it is a reference record. */
export function rolesIn(partition: number, { payerPartition, payeePartition, partitions }: Candidate): number {
  if (partitions) return role.reference;
  return (partition === payerPartition ? role.debit : 0) | (partition === payeePartition ? role.credit : 0);
}
