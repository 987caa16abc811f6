import { amountFenMax } from '../domain/money.js';
import {
  closedLiteral,
  fourBytes,
  lookAhead,
  matches,
  nextMember,
  scanInteger,
  scannedInteger,
  scanText,
  scanToken,
  skipColon,
  skipSpace,
  skipUnknown,
  tokenOf,
  unnamedInside,
} from './json-scanner.js';
import { invalidDay, scanDate, twoDigits } from './time-scanner.js';
import { hashBytes, type PartyView } from './transaction-view.js';

/** Reads the payer or payee object at `at` into the view; the position behind it, or -1. `keyBase` as in `skipUnknown`. */
export function scanParty(bytes: Uint8Array, at: number, end: number, party: PartyView, keyBase: number): number {
  if (bytes[at] !== 0x7b) return -1;
  let seen = 0;
  let unknownAt = keyBase;
  let p = skipSpace(bytes, at + 1);
  if (bytes[p] !== 0x22) return -1;
  for (;;) {
    if (end - p < lookAhead) return -1;
    const field = partyFieldAt(bytes, p + 1);
    if (field === 0) {
      unnamedInside[0] = 1;
      p = skipUnknown(bytes, p, end, keyBase, unknownAt++);
    } else {
      if ((seen & (1 << field)) !== 0) return -1;
      seen |= 1 << field;
      p = skipColon(bytes, p + keyBytes[field]!);
      if (p < 0) return -1;
      p = scanPartyField(field, bytes, p, end, party);
    }
    if (p < 0 || p >= end) return -1;
    p = nextMember(bytes, p);
    if (p < 0) return -1;
    if (bytes[p] === 0x7d) return (seen & (1 << partyAccount)) === 0 ? -1 : p + 1;
  }
}

function partyFieldAt(bytes: Uint8Array, at: number): number {
  switch (fourBytes(bytes, at)) {
    case 0x6163636f: // acco
      return matches(bytes, at + 4, rest.account) ? partyAccount : 0;
    case 0x6e616d65: // name
      return bytes[at + 4] === 0x22 ? partyName : 0;
    case 0x6b696e64: // kind
      return bytes[at + 4] === 0x22 ? partyKind : 0;
    case 0x62616e6b: // bank
      return bytes[at + 4] === 0x22 ? partyBank : 0;
    case 0x63726564: // cred
      return matches(bytes, at + 4, rest.creditCode) ? partyCreditCode : 0;
    case 0x72656769: // regi
      return matches(bytes, at + 4, rest.region) ? partyRegion : 0;
    case 0x6f70656e: // open
      return matches(bytes, at + 4, rest.openedOn) ? partyOpenedOn : 0;
    case 0x62616c61: // bala
      return matches(bytes, at + 4, rest.balanceFen) ? partyBalance : 0;
    default:
      return 0;
  }
}

function scanPartyField(field: number, bytes: Uint8Array, at: number, end: number, party: PartyView): number {
  let quote: number;
  switch (field) {
    case partyAccount:
      quote = scanToken(bytes, at, end, tokenOf.accountNumber, 4, 34);
      party.accountStart = at + 1;
      party.accountEnd = quote;
      party.accountHash = hashBytes(bytes, at + 1, quote);
      break;
    case partyName:
      quote = scanText(bytes, at, end, 120);
      party.nameStart = at + 1;
      party.nameEnd = quote;
      break;
    case partyKind:
      return scanKind(bytes, at, end, party);
    case partyBank:
      quote = scanToken(bytes, at, end, tokenOf.bankCode, 3, 14);
      party.bankStart = at + 1;
      party.bankEnd = quote;
      break;
    case partyCreditCode:
      quote = scanToken(bytes, at, end, tokenOf.creditCode, 18, 18);
      party.creditCodeStart = at + 1;
      party.creditCodeEnd = quote;
      break;
    case partyRegion:
      quote = scanToken(bytes, at, end, tokenOf.digits, 6, 6);
      party.regionStart = at + 1;
      party.regionEnd = quote;
      if (quote >= 0) {
        party.province = twoDigits(bytes, at + 1);
        party.region = party.province * 10_000 + twoDigits(bytes, at + 3) * 100 + twoDigits(bytes, at + 5);
      }
      break;
    case partyOpenedOn:
      if (bytes[at] !== 0x22 || end - at < 12 || bytes[at + 11] !== 0x22) return -1;
      party.openedDay = scanDate(bytes, at + 1);
      return party.openedDay === invalidDay ? -1 : at + 12;
    default: {
      const behind = scanInteger(bytes, at);
      const balanceFen = scannedInteger[0]!;
      party.balanceFen = balanceFen;
      return behind >= 0 && balanceFen >= -amountFenMax && balanceFen <= amountFenMax ? behind : -1;
    }
  }
  return quote < 0 ? -1 : quote + 1;
}

function scanKind(bytes: Uint8Array, at: number, end: number, party: PartyView): number {
  if (bytes[at] !== 0x22 || end - at < lookAhead) return -1;
  switch (fourBytes(bytes, at + 1)) {
    case 0x636f7270: // corp
      party.kind = 1;
      return matches(bytes, at + 5, rest.corporate) ? at + 11 : -1;
    case 0x70657273: // pers
      party.kind = 2;
      return matches(bytes, at + 5, rest.personal) ? at + 10 : -1;
    default:
      return -1;
  }
}

export function resetParty(party: PartyView): void {
  party.kind = 0;
  party.province = 0;
  party.region = 0;
  party.openedDay = -1;
  party.balanceFen = NaN;
  party.nameStart = -1;
  party.nameEnd = -1;
  party.bankStart = -1;
  party.bankEnd = -1;
  party.creditCodeStart = -1;
  party.creditCodeEnd = -1;
  party.regionStart = -1;
  party.regionEnd = -1;
}

const partyAccount = 1;
const partyName = 2;
const partyKind = 3;
const partyBank = 4;
const partyCreditCode = 5;
const partyRegion = 6;
const partyOpenedOn = 7;
const partyBalance = 8;
/** Bytes of a field's key with both quotes. */
const keyBytes = new Uint8Array([0, 9, 6, 6, 6, 12, 8, 10, 12]);

/** What follows the first four bytes of the longer keys and values. */
const rest = {
  account: closedLiteral('unt'),
  balanceFen: closedLiteral('nceFen'),
  corporate: closedLiteral('orate'),
  creditCode: closedLiteral('itCode'),
  openedOn: closedLiteral('edOn'),
  personal: closedLiteral('onal'),
  region: closedLiteral('on'),
};
