import { dayMs, dayNumber, formatDay, shanghaiOffsetMs } from '../domain/bank-day.js';
import { frameFlag, readFrame, role, type FrameEntry } from '../domain/frame.js';
import { transactionStatuses } from '../domain/transaction.js';
import { scanTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';

/**
 * Rows of the warehouse's table `transactions`, straight from the bytes of the log: what the reader finds in a record is
 * copied span by span (it is JSON text already), and the record itself becomes the text column `raw`.
 */
export interface TransactionRows {
  /** Adds the transactions of one frame whose payer belongs to the partition, so that each stands in one row. Throws for a damaged frame. */
  addFrame(frame: Uint8Array): void;
  readonly count: number;
  /** One JSON object a line. The bytes stay as they are until the next `addFrame`. */
  bytes(): Uint8Array;
}

const ascii = (text: string) => Buffer.from(text, 'latin1');
const key = {
  id: ascii('{"id":"'),
  bank: ascii('","bank":"'),
  time: ascii('","time":"'),
  amount: ascii('","amount_fen":'),
  currency: ascii(',"currency":"'),
  cny: ascii('CNY'),
  status: ascii('","status":"'),
  payerAccount: ascii('","payer_account":"'),
  payeeAccount: ascii('","payee_account":"'),
  payerName: ascii('","payer_name":"'),
  payeeName: ascii('","payee_name":"'),
  payerKind: ascii('","payer_kind":"'),
  payeeKind: ascii('","payee_kind":"'),
  payerBank: ascii('","payer_bank":"'),
  payeeBank: ascii('","payee_bank":"'),
  payerCreditCode: ascii('","payer_credit_code":"'),
  payeeCreditCode: ascii('","payee_credit_code":"'),
  channel: ascii('","channel":"'),
  remark: ascii('","remark":"'),
  receivedAt: ascii('","received_at":"'),
  raw: ascii('","raw":"'),
  end: ascii('"}\n'),
};
const statusWords = transactionStatuses.map(ascii);
const kindWords = [ascii(''), ascii('corporate'), ascii('personal')];
/** Everything of a row except its spans and its record. */
const rowBytesMax = 1024;

/** `onReference` is given the reference records among them that this partition stands for. */
export function createTransactionRows(
  sizeHint: number,
  onReference: (frame: Uint8Array, entry: FrameEntry) => void,
): TransactionRows {
  const view = new TransactionView();
  let out = Buffer.allocUnsafe(Math.max(sizeHint, 64 * 1024));
  let at = 0;
  let count = 0;
  const dates = new Map<number, Uint8Array>();

  function addFrame(frame: Uint8Array): void {
    for (const entry of readFrame(frame)) {
      if (entry.roles === role.reference && (entry.flags & frameFlag.home) !== 0) onReference(frame, entry);
      if ((entry.roles & role.debit) === 0) continue;
      if (!scanTransaction(frame, entry.start, entry.end, view)) throw new RangeError('a transaction in it cannot be read');
      // Spans are parts of the record, and each of its bytes becomes at most two in the text column.
      reserve(rowBytesMax + 3 * (entry.end - entry.start));
      addRow(entry.start, entry.end, entry.receivedAtMs);
      count++;
    }
  }

  function addRow(start: number, end: number, receivedAtMs: number): void {
    const { payer, payee } = view;
    word(key.id);
    span(view.idStart, view.idEnd);
    word(key.bank);
    span(view.reporterStart, view.reporterEnd);
    word(key.time);
    time(view.timeMs);
    word(key.amount);
    at += out.write(String(view.amountFen), at, 'latin1');
    word(key.currency);
    if (view.currencyStart >= 0) span(view.currencyStart, view.currencyEnd);
    else word(key.cny);
    word(key.status);
    word(statusWords[view.status]!);
    word(key.payerAccount);
    span(payer.accountStart, payer.accountEnd);
    word(key.payeeAccount);
    span(payee.accountStart, payee.accountEnd);
    optional(key.payerName, payer.nameStart, payer.nameEnd);
    optional(key.payeeName, payee.nameStart, payee.nameEnd);
    if (payer.kind > 0) kind(key.payerKind, payer.kind);
    if (payee.kind > 0) kind(key.payeeKind, payee.kind);
    optional(key.payerBank, payer.bankStart, payer.bankEnd);
    optional(key.payeeBank, payee.bankStart, payee.bankEnd);
    optional(key.payerCreditCode, payer.creditCodeStart, payer.creditCodeEnd);
    optional(key.payeeCreditCode, payee.creditCodeStart, payee.creditCodeEnd);
    optional(key.channel, view.channelStart, view.channelEnd);
    optional(key.remark, view.remarkStart, view.remarkEnd);
    word(key.receivedAt);
    time(receivedAtMs);
    word(key.raw);
    text(start, end);
    word(key.end);
  }

  function word(bytes: Uint8Array): void {
    at = copy(bytes, 0, bytes.length, out, at);
  }

  function span(start: number, end: number): void {
    at = copy(view.bytes, start, end, out, at);
  }

  function optional(name: Uint8Array, start: number, end: number): void {
    if (start < 0) return;
    word(name);
    span(start, end);
  }

  function kind(name: Uint8Array, index: number): void {
    word(name);
    word(kindWords[index]!);
  }

  function text(start: number, end: number): void {
    at = copyEscaped(view.bytes, start, end, out, at);
  }

  /** `2026-07-01T09:30:00.000+08:00`. */
  function time(timeMs: number): void {
    const day = dayNumber(timeMs);
    word(dates.get(day) ?? dateOf(day));
    const ms = timeMs + shanghaiOffsetMs - day * dayMs;
    twoDigits(Math.floor(ms / 3_600_000));
    out[at++] = 0x3a;
    twoDigits(Math.floor(ms / 60_000) % 60);
    out[at++] = 0x3a;
    twoDigits(Math.floor(ms / 1000) % 60);
    out[at++] = 0x2e;
    const fraction = Math.floor(ms) % 1000;
    out[at++] = 0x30 + Math.floor(fraction / 100);
    twoDigits(fraction % 100);
    word(zone);
  }

  function dateOf(day: number): Uint8Array {
    if (dates.size === datesMost) dates.clear();
    const date = ascii(`${formatDay(day)}T`);
    dates.set(day, date);
    return date;
  }

  function twoDigits(number: number): void {
    out[at++] = 0x30 + Math.floor(number / 10);
    out[at++] = 0x30 + (number % 10);
  }

  function reserve(bytes: number): void {
    if (at + bytes <= out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(out.length * 2, at + bytes));
    out.copy(larger, 0, 0, at);
    out = larger;
  }

  return {
    addFrame,
    get count() {
      return count;
    },
    bytes: () => out.subarray(0, at),
  };
}

const zone = ascii('+08:00');
/** Rows name two days by turns at least: of the payment, and of its receipt. */
const datesMost = 64;

/** Returns the place after the copy. */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  for (let i = start; i < end; i++) to[at++] = from[i]!;
  return at;
}

/** JSON text as the contents of a JSON string. White space between its tokens may be a control character: it becomes a space. */
function copyEscaped(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  for (let i = start; i < end; i++) {
    const c = from[i]!;
    if (c === 0x22 || c === 0x5c) to[at++] = 0x5c;
    to[at++] = c < 0x20 ? 0x20 : c;
  }
  return at;
}
