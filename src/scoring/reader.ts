import { amountFenMax } from '../domain/money.js';
import { encodeTransaction, parseTransaction, type Rejection } from '../domain/transaction-record.js';
import { transactionBytesMax, transactionDepthMax } from '../domain/transaction.js';
import {
  closedLiteral,
  fourBytes,
  isSpace,
  lookAhead,
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
    if (end - p < lookAhead) return false;
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
  return ((seen & (1 << fieldExtra)) !== 0 ? 1 : 0) + (unknownCount > 0 ? 1 : 0) + unnamedInside[0] <= 1;
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

/** What follows the first four bytes of the longer keys and values. */
const rest = {
  amountFen: closedLiteral('ntFen'),
  channel: closedLiteral('nel'),
  currency: closedLiteral('ency'),
  device: closedLiteral('ce'),
  extra: closedLiteral('a'),
  failed: closedLiteral('ed'),
  operator: closedLiteral('ator'),
  pending: closedLiteral('ing'),
  remark: closedLiteral('rk'),
  reversed: closedLiteral('rsed'),
  settled: closedLiteral('led'),
  status: closedLiteral('us'),
};

/** Which top-level field's key stands at `at`, behind its opening quote; 0 for an unknown one. */
function fieldAt(bytes: Uint8Array, at: number): number {
  const head = fourBytes(bytes, at);
  switch (head) {
    case 0x74696d65: // time
      return bytes[at + 4] === 0x22 ? fieldTime : 0;
    case 0x616d6f75: // amou
      return matches(bytes, at + 4, rest.amountFen) ? fieldAmount : 0;
    case 0x63757272: // curr
      return matches(bytes, at + 4, rest.currency) ? fieldCurrency : 0;
    case 0x73746174: // stat
      return matches(bytes, at + 4, rest.status) ? fieldStatus : 0;
    case 0x62616e6b: // bank
      return bytes[at + 4] === 0x22 ? fieldBank : 0;
    case 0x6368616e: // chan
      return matches(bytes, at + 4, rest.channel) ? fieldChannel : 0;
    case 0x72656d61: // rema
      return matches(bytes, at + 4, rest.remark) ? fieldRemark : 0;
    case 0x64657669: // devi
      return matches(bytes, at + 4, rest.device) ? fieldDevice : 0;
    case 0x6f706572: // oper
      return matches(bytes, at + 4, rest.operator) ? fieldOperator : 0;
    case 0x65787472: // extr
      return matches(bytes, at + 4, rest.extra) ? fieldExtra : 0;
    case 0x70617965: // paye
      if (bytes[at + 5] !== 0x22) return 0;
      return bytes[at + 4] === 0x72 ? fieldPayer : bytes[at + 4] === 0x65 ? fieldPayee : 0;
    default: // id"
      return head >> 8 === 0x696422 ? fieldId : 0;
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
      return scanStatus(bytes, at, end, view);
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
      return scanDevice(bytes, at, end, view, keyBase);
    case fieldOperator:
      quote = scanText(bytes, at, end, 64);
      view.operatorStart = at + 1;
      view.operatorEnd = quote;
      break;
    default: // extra, already one level inside the record
      return bytes[at] === 0x7b ? skipObject(bytes, at, end, transactionDepthMax - 1, keyBase) : -1;
  }
  return quote < 0 ? -1 : quote + 1;
}

function scanStatus(bytes: Uint8Array, at: number, end: number, view: TransactionView): number {
  if (bytes[at] !== 0x22 || end - at < lookAhead) return -1;
  switch (fourBytes(bytes, at + 1)) {
    case 0x73657474: // sett
      view.status = 0;
      return matches(bytes, at + 5, rest.settled) ? at + 9 : -1;
    case 0x70656e64: // pend
      view.status = 1;
      return matches(bytes, at + 5, rest.pending) ? at + 9 : -1;
    case 0x6661696c: // fail
      view.status = 2;
      return matches(bytes, at + 5, rest.failed) ? at + 8 : -1;
    case 0x72657665: // reve
      view.status = 3;
      return matches(bytes, at + 5, rest.reversed) ? at + 10 : -1;
    default:
      return -1;
  }
}

function scanDevice(bytes: Uint8Array, at: number, end: number, view: TransactionView, keyBase: number): number {
  if (bytes[at] !== 0x7b) return -1;
  let seen = 0;
  let unknownAt = keyBase;
  let p = skipSpace(bytes, at + 1);
  if (bytes[p] === 0x7d) return p + 1;
  if (bytes[p] !== 0x22) return -1;
  for (;;) {
    if (end - p < lookAhead) return -1;
    const head = fourBytes(bytes, p + 1);
    const isId = head >> 8 === 0x696422; // id"
    const isMac = head === 0x6d616322; // mac"
    if (isId || isMac || head >> 8 === 0x697022 /* ip" */) {
      const bit = isId ? 1 : isMac ? 2 : 4;
      if ((seen & bit) !== 0) return -1;
      seen |= bit;
      p = skipColon(bytes, p + (isMac ? 5 : 4));
      if (p < 0) return -1;
      const quote = scanText(bytes, p, end, isId ? 64 : isMac ? 32 : 45);
      if (quote < 0) return -1;
      if (isId) {
        view.deviceStart = p + 1;
        view.deviceEnd = quote;
      } else if (isMac) {
        view.macStart = p + 1;
        view.macEnd = quote;
      } else {
        view.ipStart = p + 1;
        view.ipEnd = quote;
      }
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
  view.deviceStart = -1;
  view.deviceEnd = -1;
  view.ipStart = -1;
  view.ipEnd = -1;
  view.macStart = -1;
  view.macEnd = -1;
  view.operatorStart = -1;
  view.operatorEnd = -1;
  resetParty(view.payer);
  resetParty(view.payee);
}
