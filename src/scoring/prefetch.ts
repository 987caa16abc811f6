import { type Batch, batchMost } from './batch.js';
import type { ByteTable } from './byte-table.js';
import { role } from '../domain/frame.js';
import { type LegLog, legWord } from './leg-log.js';
import type { PairTable } from './pair-table.js';
import { column } from './plan.js';
import type { SubjectRows } from './subject-rows.js';

/**
 * An account's state lies anywhere in some hundred megabytes, and each look at it costs 100 to 200 ns when it is not in the
 * cache, one look after the other. Touching the state of a whole batch in short loops lets the processor wait for a dozen
 * of them at once, so that scoring then finds everything near. It changes nothing but the speed.
 */
export interface Prefetch {
  /** Numbers of the batch's payers and payees. */
  readonly payers: Int32Array;
  readonly payees: Int32Array;
  run(batch: Batch): void;
}

const numbersPerLine = 8;

export function createPrefetch(accounts: ByteTable, rows: SubjectRows, pairs: PairTable, legs: LegLog): Prefetch {
  const payers = new Int32Array(batchMost);
  const payees = new Int32Array(batchMost);
  const payerRows = new Int32Array(batchMost);
  const payeeRows = new Int32Array(batchMost);
  /** What was touched is added up here, or the loops would be optimised away. */
  const sum = new Float64Array(1);

  function touchRows(own: Int32Array, count: number): number {
    let touched = 0;
    for (let i = 0; i < count; i++) {
      const row = own[i]!;
      if (row < 0) continue;
      const end = (row + 1) * rows.width;
      for (let at = row * rows.width; at < end; at += numbersPerLine) touched += rows.numbers[at]!;
    }
    return touched;
  }

  function touchNewest(own: Int32Array, count: number): number {
    let touched = 0;
    for (let i = 0; i < count; i++) {
      const row = own[i]!;
      if (row < 0) continue;
      const newest = rows.numbers[row * rows.width + column.newest]!;
      if (newest >= 0) touched += legs.word(newest, legWord.next);
    }
    return touched;
  }

  return {
    payers,
    payees,
    run({ views, roles, count }) {
      let touched = 0;
      for (let i = 0; i < count; i++)
        touched += accounts.touch(views[i]!.payer.accountHash) + accounts.touch(views[i]!.payee.accountHash);
      for (let i = 0; i < count; i++)
        touched += accounts.touchBytes(views[i]!.payer.accountHash) + accounts.touchBytes(views[i]!.payee.accountHash);
      for (let i = 0; i < count; i++) {
        const { bytes, payer, payee } = views[i]!;
        payers[i] = accounts.intern(bytes, payer.accountStart, payer.accountEnd, payer.accountHash);
        payees[i] = accounts.intern(bytes, payee.accountStart, payee.accountEnd, payee.accountHash);
      }
      for (let i = 0; i < count; i++) {
        payerRows[i] = (roles[i]! & role.debit) === 0 ? -1 : rows.known(payers[i]!);
        payeeRows[i] = (roles[i]! & role.credit) === 0 ? -1 : rows.known(payees[i]!);
        touched += pairs.touchIndex(payers[i]!, payees[i]!) + pairs.touchIndex(payees[i]!, payers[i]!);
      }
      touched += touchRows(payerRows, count) + touchRows(payeeRows, count);
      for (let i = 0; i < count; i++) touched += pairs.touchRow(payers[i]!, payees[i]!) + pairs.touchRow(payees[i]!, payers[i]!);
      touched += touchNewest(payerRows, count) + touchNewest(payeeRows, count);
      sum[0] = touched;
    },
  };
}
