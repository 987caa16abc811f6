import { accountKinds } from '../domain/transaction.js';

/**
 * One transaction as the engine sees it: numbers and positions in the record's bytes, no objects made per transaction.
 * A reader fills one view again and again. `-1` marks an absent span or day, `NaN` an absent balance, `0` an unknown kind or province.
 */
export class TransactionView {
  bytes: Uint8Array = new Uint8Array(0);
  /** The record's own bytes: `bytes[start, end)`. */
  start = 0;
  end = 0;

  /** Event time, epoch milliseconds. */
  timeMs = 0;
  amountFen = 0;
  /** Index into `transactionStatuses`: 0 settled, 1 pending, 2 failed, 3 reversed. */
  status = 0;
  /** True where the currency is CNY. */
  isCny = true;

  idStart = 0;
  idEnd = 0;
  /** Spans of string contents, without the quotes; -1 where the field is absent. */
  currencyStart = -1;
  currencyEnd = -1;
  bankStart = -1;
  bankEnd = -1;
  channelStart = -1;
  channelEnd = -1;
  remarkStart = -1;
  remarkEnd = -1;
  deviceStart = -1;
  deviceEnd = -1;
  ipStart = -1;
  ipEnd = -1;
  macStart = -1;
  macEnd = -1;
  operatorStart = -1;
  operatorEnd = -1;

  readonly payer = new PartyView();
  readonly payee = new PartyView();

  /** Text of a span, escapes resolved; '' for an absent one. */
  text(start: number, end: number): string {
    return start < 0 ? '' : textOf(this.bytes, start, end);
  }

  get id(): string {
    return this.text(this.idStart, this.idEnd);
  }

  /** The bank that reports it, whose number the id is: `bank`, else the payer's. An absent span where the record says neither. */
  get reporterStart(): number {
    return this.bankStart >= 0 ? this.bankStart : this.payer.bankStart;
  }

  get reporterEnd(): number {
    return this.bankStart >= 0 ? this.bankEnd : this.payer.bankEnd;
  }

  get reporter(): string {
    return this.text(this.reporterStart, this.reporterEnd);
  }

  /** Hash of the reporter's number (see `hashBytes`), 0 for none. */
  get reporterHash(): number {
    return this.reporterStart < 0 ? 0 : hashBytes(this.bytes, this.reporterStart, this.reporterEnd);
  }
}

/** See `PartyView.kind`. */
export const corporateKind = accountKinds.indexOf('corporate') + 1;
export const personalKind = accountKinds.indexOf('personal') + 1;

export class PartyView {
  accountStart = 0;
  accountEnd = 0;
  /** 32-bit FNV-1a hash of the account's bytes (see `hashBytes`). */
  accountHash = 0;
  /** 0 unknown, 1 corporate, 2 personal. */
  kind = 0;
  /** First two digits of `region` (GB/T 2260 province), 0 where absent. */
  province = 0;
  /** All six digits of it, 0 where absent. */
  region = 0;
  /** Day number since 1970-01-01 of `openedOn`, -1 where absent. */
  openedDay = -1;
  /** Balance after the transaction, NaN where absent. */
  balanceFen = NaN;
  nameStart = -1;
  nameEnd = -1;
  bankStart = -1;
  bankEnd = -1;
  creditCodeStart = -1;
  creditCodeEnd = -1;
  regionStart = -1;
  regionEnd = -1;
}

/** 32-bit FNV-1a over `bytes[start, end)`, as a signed integer. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}

/** Text of a span inside a JSON string, escapes resolved. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return hasEscape(bytes, start, end) ? (JSON.parse(decode(bytes, start - 1, end + 1)) as string) : decode(bytes, start, end);
}

const backslash = 0x5c;

/** Whether the span inside a JSON string is written otherwise than it is read; an absent one is not. */
export function hasEscape(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === backslash) return true;
  return false;
}

const decoder = new TextDecoder('utf-8');
function decode(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}
