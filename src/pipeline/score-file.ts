import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { partitionOfHash } from '../domain/partition.js';
import { transactionBytesMax, transactionStatuses } from '../domain/transaction.js';
import { batchMost, createBatch } from '../scoring/batch.js';
import { createEngine } from '../scoring/engine.js';
import { createLineSplitter } from '../scoring/lines.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { readTransaction } from '../scoring/reader.js';
import { hashBytes, type TransactionView } from '../scoring/transaction-view.js';
import { createIdentityTable } from './identity-table.js';

/** Scores files of transactions with the engine of the live platform, in one pass and one process. */

export interface FileRejection {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

export interface ScoreFileOptions {
  readonly set: PatternSet;
  /** Hits do not depend on it. */
  readonly partitions: number;
  /** Hits of the transactions read so far, in their order. The array is used again. */
  readonly onHits: (hits: readonly Hit[]) => void;
  readonly onRejected: (rejection: FileRejection) => void;
}

export interface ScoreFileTotals {
  lines: number;
  scored: number;
  /** Failed or reversed: nothing to score. */
  withoutEffect: number;
  duplicates: number;
  rejected: Record<string, number>;
  hits: number;
  subjects: number;
  earliestMs: number;
  latestMs: number;
}

export interface FileScorer {
  begin(file: string): void;
  push(chunk: Uint8Array): void;
  finish(): void;
  totals(): ScoreFileTotals;
  bytesUsed(): number;
}

const settledOrPending = transactionStatuses.indexOf('pending');

export function createFileScorer({ set, partitions, onHits, onRejected }: ScoreFileOptions): FileScorer {
  const engines = Array.from({ length: partitions }, () => createEngine(set));
  const identities = createIdentityTable();
  const batch = createBatch();
  batch.roles.fill(role.debit | role.credit);
  let view: TransactionView = batch.views[0]!;
  let chunkInHand: Uint8Array | undefined;
  const totals: ScoreFileTotals = {
    lines: 0,
    scored: 0,
    withoutEffect: 0,
    duplicates: 0,
    rejected: {},
    hits: 0,
    subjects: 0,
    earliestMs: Infinity,
    latestMs: -Infinity,
  };
  const hits: Hit[] = [];
  let file = '';
  let line = 0;
  let splitter = createLineSplitter(transactionBytesMax, visit);

  function visit(bytes: Uint8Array, start: number, end: number): void {
    line++;
    totals.lines++;
    view = batch.views[batch.count]!;
    const rejection = readTransaction(bytes, start, end, view);
    if (rejection) return reject(rejection.reason, rejection.field, rejection.message);
    switch (identities.claim(identityLow(view), identityHigh(view), contentLow(view), contentHigh(view))) {
      case 'known':
        totals.duplicates++;
        return;
      case 'conflict':
        return reject(
          'conflict',
          'id',
          'another transaction of the same bank has this id with other content; the first one counts',
        );
      case 'new':
        break;
    }
    if (view.status > settledOrPending) {
      totals.withoutEffect++;
      return;
    }
    totals.scored++;
    if (view.timeMs < totals.earliestMs) totals.earliestMs = view.timeMs;
    if (view.timeMs > totals.latestMs) totals.latestMs = view.timeMs;
    if (partitions === 1) {
      // A line over the border of two chunks lies in a buffer that is used again.
      if (++batch.count === batchMost || bytes !== chunkInHand) scoreBatch();
      return;
    }
    engines[partitionOfHash(view.payer.accountHash, partitions)]!.score(view, role.debit, 0, 0, hits);
    engines[partitionOfHash(view.payee.accountHash, partitions)]!.score(view, role.credit, 0, 0, hits);
  }

  function scoreBatch(): void {
    engines[0]!.scoreBatch(batch, hits);
    batch.count = 0;
  }

  function reject(reason: string, field: string, message: string): void {
    totals.rejected[reason] = (totals.rejected[reason] ?? 0) + 1;
    onRejected({ file, line, reason, field, message });
  }

  function flush(): void {
    if (batch.count > 0) scoreBatch();
    if (hits.length === 0) return;
    totals.hits += hits.length;
    onHits(hits);
    hits.length = 0;
  }

  return {
    begin(name) {
      file = name;
      line = 0;
      splitter = createLineSplitter(transactionBytesMax, visit);
    },
    push(chunk) {
      chunkInHand = chunk;
      splitter.push(chunk);
      flush();
    },
    finish() {
      splitter.finish();
      flush();
    },
    totals() {
      totals.subjects = engines.reduce((sum, engine) => sum + engine.stats().subjects, 0);
      return totals;
    },
    bytesUsed: () => engines.reduce((sum, engine) => sum + engine.stats().bytes, 0) + identities.bytesUsed(),
  };
}

/**
 * What scoring reads of a transaction, as 2 × 32 bits: the same for a record that comes again in another form, another one
 * for an amount, a time or a party that was changed. Fields that no pattern can ask about do not count here.
 */
function contentLow({
  bytes,
  timeMs,
  amountFen,
  status,
  payer,
  payee,
  remarkStart,
  remarkEnd,
  channelStart,
  channelEnd,
}: TransactionView): number {
  let hash = hashBytes(bytes, remarkStart, remarkEnd) ^ Math.imul(hashBytes(bytes, channelStart, channelEnd), 0x27d4eb2f);
  hash = mixNumber(mixNumber(mixNumber(hash, timeMs), amountFen), status);
  hash = Math.imul(hash ^ payer.accountHash, 0x85ebca6b);
  return Math.imul(hash ^ payee.accountHash, 0xc2b2ae35);
}

function contentHigh({ bytes, amountFen, timeMs, payer, payee }: TransactionView): number {
  let hash = mixNumber(mixNumber(0x9747b28c | 0, amountFen), timeMs);
  for (const party of [payer, payee]) {
    hash = mixNumber(mixNumber(mixNumber(mixNumber(hash, party.kind), party.province), party.openedDay), party.balanceFen);
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

/** Reporting bank and id, as in live intake: `bank`, else the payer's bank. */
function identityLow(view: TransactionView): number {
  const fromBank =
    view.bankStart >= 0
      ? hashBytes(view.bytes, view.bankStart, view.bankEnd)
      : view.payer.bankStart >= 0
        ? hashBytes(view.bytes, view.payer.bankStart, view.payer.bankEnd)
        : 0;
  return Math.imul(fromBank, 0x85ebca6b) ^ hashBytes(view.bytes, view.idStart, view.idEnd);
}

/** A second, independent hash of the same, so that together they have 64 bits. */
function identityHigh(view: TransactionView): number {
  let hash = 0x9747b28c | 0;
  const from = view.bankStart >= 0 ? view.bankStart : view.payer.bankStart;
  const to = view.bankStart >= 0 ? view.bankEnd : view.payer.bankEnd;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ view.bytes[i]!, 0x5bd1e995);
  for (let i = view.idStart; i < view.idEnd; i++) hash = Math.imul(hash ^ view.bytes[i]!, 0x5bd1e995) ^ (hash >>> 15);
  return hash;
}
