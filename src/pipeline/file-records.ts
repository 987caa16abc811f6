import {
  encodeReference,
  createTypeFinder,
  isReferenceRecord,
  parseReference,
  referenceBytesMax,
} from '../domain/reference-record.js';
import { firstCounts } from '../domain/refusal.js';
import type { Reference } from '../domain/reference.js';
import type { Rejection } from '../domain/transaction-record.js';
import { transactionStatuses } from '../domain/transaction.js';
import { createLineSplitter } from '../scoring/lines.js';
import { readTransaction } from '../scoring/reader.js';
import { hashBytes, type TransactionView } from '../scoring/transaction-view.js';
import { createIdentityTable } from './identity-table.js';

/** Reads files of transactions and reference records: splits, checks, tells repetitions apart, counts. */

export interface FileRejection {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

/** Where the records go that count, in their order. */
export interface RecordSink {
  /** The view that the next transaction is read into. */
  view(): TransactionView;
  /** `view` holds a transaction that has an effect. `isLasting`: its bytes stay as they are until the chunk is done with. */
  transaction(view: TransactionView, isLasting: boolean): void;
  reference(reference: Reference): void;
}

export interface RecordTotals {
  lines: number;
  scored: number;
  references: Record<string, number>;
  /** Failed or reversed: nothing to score. */
  withoutEffect: number;
  duplicates: number;
  rejected: Record<string, number>;
  /** Transactions later than the machine's clock. */
  inFuture: number;
  earliestMs: number;
  latestMs: number;
}

export interface RecordReader {
  begin(file: string): void;
  push(chunk: Buffer): void;
  /** The last line of the file needs no line end. */
  finish(): void;
  readonly totals: RecordTotals;
  bytesUsed(): number;
}

export interface RecordReaderOptions {
  readonly sink: RecordSink;
  readonly nowMs: number;
  readonly onRejected: (rejection: FileRejection) => void;
}

const settledOrPending = transactionStatuses.indexOf('pending');

export function createRecordReader({ sink, nowMs, onRejected }: RecordReaderOptions): RecordReader {
  const identities = createIdentityTable();
  const totals: RecordTotals = {
    lines: 0,
    scored: 0,
    references: {},
    withoutEffect: 0,
    duplicates: 0,
    rejected: {},
    inFuture: 0,
    earliestMs: Infinity,
    latestMs: -Infinity,
  };
  let chunkInHand: Uint8Array | undefined;
  let mayHaveType: (start: number, end: number) => boolean = () => true;
  let file = '';
  let line = 0;
  let splitter = createLineSplitter(referenceBytesMax, visit);

  function visit(bytes: Uint8Array, start: number, end: number, number: number): void {
    line = number;
    totals.lines++;
    const isInChunk = bytes === chunkInHand;
    if ((!isInChunk || mayHaveType(start, end)) && isReferenceRecord(bytes, start, end)) return visitReference(bytes, start, end);
    const view = sink.view();
    const rejection = readTransaction(bytes, start, end, view);
    // What the fast reader did not take may spell its `type` with escapes.
    if ((rejection || view.bytes !== bytes) && isReferenceRecord(bytes, start, end)) return visitReference(bytes, start, end);
    if (rejection) return reject(rejection);
    if (!isNew(identityLow(view), identityHigh(view), contentLow(view), contentHigh(view), 'transaction')) return;
    if (view.status > settledOrPending) {
      totals.withoutEffect++;
      return;
    }
    totals.scored++;
    if (view.timeMs < totals.earliestMs) totals.earliestMs = view.timeMs;
    if (view.timeMs > totals.latestMs) totals.latestMs = view.timeMs;
    if (view.timeMs > nowMs) totals.inFuture++;
    // A line over the border of two chunks lies in a buffer that is used again.
    sink.transaction(view, isInChunk || view.bytes !== bytes);
  }

  function visitReference(bytes: Uint8Array, start: number, end: number): void {
    const reading = parseReference(bytes, start, end);
    if (!reading.ok) return reject(reading);
    const { reference } = reading;
    const name = encoder.encode(`${reference.bank ?? ''} ${reference.id}`);
    const content = encodeReference(reference);
    const isFirst = isNew(
      hashBytes(name, 0, name.length),
      otherHash(name, 0, name.length, 0x9747b28c | 0),
      hashBytes(content, 0, content.length),
      otherHash(content, 0, content.length, 0x9747b28c | 0),
      'reference record',
    );
    if (!isFirst) return;
    totals.references[reference.type] = (totals.references[reference.type] ?? 0) + 1;
    sink.reference(reference);
  }

  function isNew(low: number, high: number, content: number, otherContent: number, noun: string): boolean {
    switch (identities.claim(low, high, content, otherContent)) {
      case 'known':
        totals.duplicates++;
        return false;
      case 'conflict':
        reject({
          reason: 'conflict',
          field: 'id',
          message: `another ${noun} of the same bank has this id with other content; ${firstCounts}`,
        });
        return false;
      case 'new':
        return true;
    }
  }

  function reject({ reason, field, message }: Pick<Rejection, 'reason' | 'field' | 'message'>): void {
    totals.rejected[reason] = (totals.rejected[reason] ?? 0) + 1;
    onRejected({ file, line, reason, field, message });
  }

  return {
    totals,
    begin(name) {
      file = name;
      line = 0;
      splitter = createLineSplitter(referenceBytesMax, visit);
    },
    push(chunk) {
      chunkInHand = chunk;
      mayHaveType = createTypeFinder(chunk);
      splitter.push(chunk);
    },
    finish() {
      chunkInHand = undefined;
      splitter.finish();
    },
    bytesUsed: () => identities.bytesUsed(),
  };
}

const encoder = new TextEncoder();

/**
 * What scoring reads of a transaction, as 2 × 32 bits: the same for a record that comes again in another form, another one
 * for an amount, a time or a party that was changed. Fields that no pattern can ask about do not count here.
 */
function contentLow(view: TransactionView): number {
  const { bytes, timeMs, amountFen, status, payer, payee } = view;
  let hash = mixSpan(hashBytes(bytes, view.remarkStart, view.remarkEnd), bytes, view.channelStart, view.channelEnd);
  hash = mixSpan(mixSpan(hash, bytes, view.deviceStart, view.deviceEnd), bytes, view.ipStart, view.ipEnd);
  hash = mixSpan(mixSpan(hash, bytes, view.macStart, view.macEnd), bytes, view.operatorStart, view.operatorEnd);
  hash = mixNumber(mixNumber(mixNumber(hash, timeMs), amountFen), status);
  hash = Math.imul(hash ^ payer.accountHash, 0x85ebca6b);
  return Math.imul(hash ^ payee.accountHash, 0xc2b2ae35);
}

/** An absent span counts like an empty one. */
function mixSpan(hash: number, bytes: Uint8Array, start: number, end: number): number {
  return Math.imul(hash ^ hashBytes(bytes, start, end), 0x27d4eb2f) ^ (hash >>> 15);
}

function contentHigh({ bytes, amountFen, timeMs, payer, payee }: TransactionView): number {
  let hash = mixNumber(mixNumber(0x9747b28c | 0, amountFen), timeMs);
  for (const party of [payer, payee]) {
    hash = mixNumber(mixNumber(mixNumber(mixNumber(hash, party.kind), party.region), party.openedDay), party.balanceFen);
    hash = Math.imul(hash ^ hashBytes(bytes, party.nameStart, party.nameEnd), 0x85ebca6b);
    hash = Math.imul(hash ^ hashBytes(bytes, party.bankStart, party.bankEnd), 0xc2b2ae35);
    hash = Math.imul(hash ^ party.accountHash, 0x27d4eb2f);
  }
  return hash;
}

/** An unknown number counts like 0. */
function mixNumber(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ (value | 0), 0x85ebca6b);
  return Math.imul(mixed ^ ((value / 0x1_0000_0000) | 0) ^ (mixed >>> 15), 0xc2b2ae35);
}

/** Reporting bank and id, as in live intake. */
function identityLow(view: TransactionView): number {
  return Math.imul(view.reporterHash, 0x85ebca6b) ^ hashBytes(view.bytes, view.idStart, view.idEnd);
}

/** A second, independent hash of the same, so that together they have 64 bits. */
function identityHigh(view: TransactionView): number {
  let hash = 0x9747b28c | 0;
  for (let i = view.reporterStart; i < view.reporterEnd; i++) hash = Math.imul(hash ^ view.bytes[i]!, 0x5bd1e995);
  return otherHash(view.bytes, view.idStart, view.idEnd, hash);
}

function otherHash(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x5bd1e995) ^ (hash >>> 15);
  return hash;
}
