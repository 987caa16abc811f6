import { role } from '../domain/frame.js';
import { partitionOfHash } from '../domain/partition.js';
import { encodeTransaction, parseTransaction, type RejectReason } from '../domain/transaction-record.js';
import { readTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';
import type { Claim } from './claims.js';
import { contentHash, hashContent } from './content-hash.js';
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
  readonly payerPartition: number;
  readonly payeePartition: number;
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
  readonly receivedAtMs: number;
}

export type ReadLine = (bytes: Buffer, start: number, end: number, number: number, body: BodyFacts) => Line;

export interface LineReaderOptions {
  readonly partitions: number;
  readonly futureMsMax: number;
  /** Of the identities' hashes. */
  readonly hashKey: HashKey;
}

/** Reads one line and applies the rules that a record alone can break. */
export function createLineReader({ partitions, futureMsMax, hashKey }: LineReaderOptions): ReadLine {
  const view = new TransactionView();
  const identity = Buffer.alloc(identityBytesMax);

  return (bytes, start, end, number, { attempt, bank: keyBank, receivedAtMs }) => {
    const rejection = readTransaction(bytes, start, end, view);
    if (rejection) {
      const { reason, field, message } = rejection;
      return { kind: 'refused', number, bank: keyBank ?? '', bytes, start, end, refusal: { reason, field, message } };
    }
    const record = asBuffer(view.bytes);
    const id = record.toString('latin1', view.idStart, view.idEnd);
    const named = slice(record, view.bankStart, view.bankEnd);
    const payerBank = named !== '' && keyBank === undefined ? '' : slice(record, view.payer.bankStart, view.payer.bankEnd);
    // A bank with a key of its own reports as itself, also where it is the payee's bank: nobody can use up another bank's ids.
    const bank = keyBank ?? (named !== '' ? named : payerBank);
    const refusal = ruleBroken(record, named, payerBank, keyBank, receivedAtMs);
    if (refusal) return { kind: 'refused', number, id, bank, bytes: record, start: view.start, end: view.end, refusal };
    hashRecord(view);
    hashIdentity(bank, record);
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
    };
  };

  /** What makes two reports the same transaction: who reports it and that bank's own number for it. Leaves it in `hashed`. */
  function hashIdentity(bank: string, record: Buffer): void {
    let at = 0;
    for (let i = 0; i < bank.length; i++) identity[at++] = bank.charCodeAt(i);
    identity[at++] = slash;
    for (let i = view.idStart; i < view.idEnd; i++) identity[at++] = record[i]!;
    keyedHash(identity, at, hashKey);
  }

  function ruleBroken(
    record: Buffer,
    named: string,
    payerBank: string,
    keyBank: string | undefined,
    nowMs: number,
  ): Refusal | null {
    if (view.timeMs > nowMs + futureMsMax) {
      const message = `lies more than ${Math.round(futureMsMax / 1000)} s in the future; check the clock and the time zone`;
      return { reason: 'future-dated', field: 'time', message };
    }
    if (keyBank === undefined) return null;
    if (named !== '') {
      return named === keyBank ? null : { reason: 'invalid', field: 'bank', message: 'is not the bank that this key belongs to' };
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

/** Which of a transaction's legs belong to a partition. */
export function rolesIn(partition: number, { payerPartition, payeePartition }: Candidate): number {
  return (partition === payerPartition ? role.debit : 0) | (partition === payeePartition ? role.credit : 0);
}
