import { amountFenMax } from '../domain/money.js';
import { encodeTransaction, parseTransaction, type Rejection } from '../domain/transaction-record.js';
import { transactionBytesMax, transactionDepthMax } from '../domain/transaction.js';
import {
  closedLiteral,
  isSpace,
  matches,
  nextMember,
  scanInteger,
  scannedInteger,
  scanText,
  scanToken,
  skipColon,
  skipObject,
  skipSpace,
  skipUnknown,
  tokenOf,
  unnamedInside,
} from './json-scanner.js';
import { resetParty, scanParty } from './party-scanner.js';
import { scanTime } from './time-scanner.js';
import type { TransactionView } from './transaction-view.js';

/**
 * Reads transactions from bytes into a view. The fast path takes what nearly every record looks like and never takes what the
 * schema of `domain/transaction.ts` refuses; everything unusual goes to the complete reader.
 */

/**
 * Reads `bytes[start, end)` into the view, or says why it is refused. A record that only the complete reader understands is
 * rewritten in canonical form, and `view.bytes` is then that copy.
 */
export function readTransaction(bytes: Uint8Array, start: number, end: number, view: TransactionView): Rejection | null {
  if (end - start <= transactionBytesMax && scanTransaction(bytes, start, end, view)) return null;
  const reading = parseTransaction(bytes, start, end);
  if (!reading.ok) return reading;
  const encoded = encodeTransaction(reading.transaction);
  if (encoded.length > transactionBytesMax) {
    const message = `the record has ${encoded.length} bytes in canonical form; at most ${transactionBytesMax} are accepted`;
    return { ok: false, reason: 'oversized', field: '', message };
  }
  if (scanTransaction(encoded, 0, encoded.length, view)) return null;
  return { ok: false, reason: 'invalid', field: 'extra', message: 'too many or too long names of unknown fields; send fewer' };
}

/**
 * The fast path: keys in any order, unknown ones skipped. False for a record that is wrong or unusual (escapes in a key or an
 * identifier, more than 40 unknown keys …); the view is then undefined.
 */
export function scanTransaction(bytes: Uint8Array, start: number, end: number, view: TransactionView): boolean {
  while (start < end && isSpace(bytes[start]!)) start++;
  while (start < end && isSpace(bytes[end - 1]!)) end--;
  if (end - start < recordBytesMin || bytes[start] !== 0x7b || bytes[end - 1] !== 0x7d) return false;
  reset(view, bytes, start, end);

  let seen = 0;
  let unknownCount = 0;
  unnamedInside[0] = 0;
  let p = skipSpace(bytes, start + 1);
  if (bytes[p] !== 0x22) return false;
  for (;;) {
    const field = fieldAt(bytes, p + 1);
    if (field === 0) {
      p = skipUnknown(bytes, p, end, 0, unknownCount++);
    } else {
      if ((seen & (1 << field)) !== 0) return false;
      seen |= 1 << field;
      p = skipColon(bytes, p + keyBytes[field]!);
      if (p < 0) return false;
      p = scanField(field, bytes, p, end, view, unknownCount);
    }
    // A value that used up the last brace leaves none for the record.
    if (p < 0 || p >= end) return false;
    p = nextMember(bytes, p);
    if (p < 0) return false;
    if (bytes[p] === 0x7d) break;
  }
  if (p + 1 !== end || (seen & requiredFields) !== requiredFields) return false;
  // Fields that would be gathered under `extra` from more than one place may meet there: the complete reader looks.
  return ((seen & (1 << fieldExtra)) !== 0 ? 1 : 0) + (unknownCount > 0 ? 1 : 0) + unnamedInside[0]! <= 1;
}

/** `{"id":"1",…}` cannot be shorter; keeps reads of a few bytes ahead inside the record. */
const recordBytesMin = 32;

const fieldId = 1;
const fieldTime = 2;
const fieldAmount = 3;
const fieldCurrency = 4;
const fieldStatus = 5;
const fieldPayer = 6;
const fieldPayee = 7;
const fieldBank = 8;
const fieldChannel = 9;
const fieldRemark = 10;
const fieldDevice = 11;
const fieldOperator = 12;
const fieldExtra = 13;
const requiredFields = (1 << fieldId) | (1 << fieldTime) | (1 << fieldAmount) | (1 << fieldPayer) | (1 << fieldPayee);
/** Bytes of a field's key with both quotes. */
const keyBytes = new Uint8Array([0, 4, 6, 11, 10, 8, 7, 7, 6, 9, 8, 8, 10, 7]);

const literal = {
  amountFen: closedLiteral('amountFen'),
  bank: closedLiteral('bank'),
  channel: closedLiteral('channel'),
  currency: closedLiteral('currency'),
  device: closedLiteral('device'),
  extra: closedLiteral('extra'),
  failed: closedLiteral('failed'),
  id: closedLiteral('id'),
  ip: closedLiteral('ip'),
  mac: closedLiteral('mac'),
  operator: closedLiteral('operator'),
  payee: closedLiteral('payee'),
  payer: closedLiteral('payer'),
  pending: closedLiteral('pending'),
  remark: closedLiteral('remark'),
  reversed: closedLiteral('reversed'),
  settled: closedLiteral('settled'),
  status: closedLiteral('status'),
  time: closedLiteral('time'),
};

/** Which top-level field's key stands at `at`, behind its opening quote; 0 for an unknown one. */
function fieldAt(bytes: Uint8Array, at: number): number {
  switch (bytes[at]!) {
    case 0x61: // a
      return matches(bytes, at, literal.amountFen) ? fieldAmount : 0;
    case 0x62: // b
      return matches(bytes, at, literal.bank) ? fieldBank : 0;
    case 0x63: // c
      return matches(bytes, at, literal.currency) ? fieldCurrency : matches(bytes, at, literal.channel) ? fieldChannel : 0;
    case 0x64: // d
      return matches(bytes, at, literal.device) ? fieldDevice : 0;
    case 0x65: // e
      return matches(bytes, at, literal.extra) ? fieldExtra : 0;
    case 0x69: // i
      return matches(bytes, at, literal.id) ? fieldId : 0;
    case 0x6f: // o
      return matches(bytes, at, literal.operator) ? fieldOperator : 0;
    case 0x70: // p
      return matches(bytes, at, literal.payer) ? fieldPayer : matches(bytes, at, literal.payee) ? fieldPayee : 0;
    case 0x72: // r
      return matches(bytes, at, literal.remark) ? fieldRemark : 0;
    case 0x73: // s
      return matches(bytes, at, literal.status) ? fieldStatus : 0;
    case 0x74: // t
      return matches(bytes, at, literal.time) ? fieldTime : 0;
    default:
      return 0;
  }
}

/** Reads the value at `at` of a known top-level field; the position behind it, or -1. */
function scanField(field: number, bytes: Uint8Array, at: number, end: number, view: TransactionView, keyBase: number): number {
  let quote: number;
  switch (field) {
    case fieldId:
      quote = scanToken(bytes, at, end, tokenOf.transactionId, 1, 64);
      view.idStart = at + 1;
      view.idEnd = quote;
      break;
    case fieldTime:
      quote = scanTime(bytes, at, end, view);
      break;
    case fieldAmount: {
      const behind = scanInteger(bytes, at);
      const amountFen = scannedInteger[0]!;
      view.amountFen = amountFen;
      return behind >= 0 && amountFen >= 1 && amountFen <= amountFenMax ? behind : -1;
    }
    case fieldCurrency:
      quote = scanToken(bytes, at, end, tokenOf.capitals, 3, 3);
      view.currencyStart = at + 1;
      view.currencyEnd = quote;
      view.isCny = quote >= 0 && bytes[at + 1] === 0x43 && bytes[at + 2] === 0x4e && bytes[at + 3] === 0x59;
      break;
    case fieldStatus:
      return scanStatus(bytes, at, view);
    case fieldPayer:
      return scanParty(bytes, at, end, view.payer, keyBase);
    case fieldPayee:
      return scanParty(bytes, at, end, view.payee, keyBase);
    case fieldBank:
      quote = scanToken(bytes, at, end, tokenOf.bankCode, 3, 14);
      view.bankStart = at + 1;
      view.bankEnd = quote;
      break;
    case fieldChannel:
      quote = scanText(bytes, at, end, 32);
      view.channelStart = at + 1;
      view.channelEnd = quote;
      break;
    case fieldRemark:
      quote = scanText(bytes, at, end, 200);
      view.remarkStart = at + 1;
      view.remarkEnd = quote;
      break;
    case fieldDevice:
      return scanDevice(bytes, at, end, keyBase);
    case fieldOperator:
      quote = scanText(bytes, at, end, 64);
      break;
    default: // extra, already one level inside the record
      return bytes[at] === 0x7b ? skipObject(bytes, at, end, transactionDepthMax - 1, keyBase) : -1;
  }
  return quote < 0 ? -1 : quote + 1;
}

function scanStatus(bytes: Uint8Array, at: number, view: TransactionView): number {
  if (bytes[at] !== 0x22) return -1;
  const start = at + 1;
  if (matches(bytes, start, literal.settled)) {
    view.status = 0;
    return start + literal.settled.length;
  }
  if (matches(bytes, start, literal.pending)) {
    view.status = 1;
    return start + literal.pending.length;
  }
  if (matches(bytes, start, literal.failed)) {
    view.status = 2;
    return start + literal.failed.length;
  }
  view.status = 3;
  return matches(bytes, start, literal.reversed) ? start + literal.reversed.length : -1;
}

function scanDevice(bytes: Uint8Array, at: number, end: number, keyBase: number): number {
  if (bytes[at] !== 0x7b) return -1;
  let seen = 0;
  let unknownAt = keyBase;
  let p = skipSpace(bytes, at + 1);
  if (bytes[p] === 0x7d) return p + 1;
  if (bytes[p] !== 0x22) return -1;
  for (;;) {
    const isId = matches(bytes, p + 1, literal.id);
    const isMac = matches(bytes, p + 1, literal.mac);
    if (isId || isMac || matches(bytes, p + 1, literal.ip)) {
      const bit = isId ? 1 : isMac ? 2 : 4;
      if ((seen & bit) !== 0) return -1;
      seen |= bit;
      p = skipColon(bytes, p + (isMac ? 5 : 4));
      if (p < 0) return -1;
      const quote = scanText(bytes, p, end, isId ? 64 : isMac ? 32 : 45);
      if (quote < 0) return -1;
      p = quote + 1;
    } else {
      unnamedInside[0] = 1;
      p = skipUnknown(bytes, p, end, keyBase, unknownAt++);
      if (p < 0 || p >= end) return -1;
    }
    p = nextMember(bytes, p);
    if (p < 0) return -1;
    if (bytes[p] === 0x7d) return p + 1;
  }
}

function reset(view: TransactionView, bytes: Uint8Array, start: number, end: number): void {
  view.bytes = bytes;
  view.start = start;
  view.end = end;
  view.status = 0;
  view.isCny = true;
  view.currencyStart = -1;
  view.currencyEnd = -1;
  view.bankStart = -1;
  view.bankEnd = -1;
  view.channelStart = -1;
  view.channelEnd = -1;
  view.remarkStart = -1;
  view.remarkEnd = -1;
  resetParty(view.payer);
  resetParty(view.payee);
}
