import { fieldNameCharactersMax, transactionMembersMax } from '../domain/transaction-record.js';
import { transactionDepthMax } from '../domain/transaction.js';

/**
 * Walking JSON in UTF-8 bytes without making objects. Every function takes a position and returns the position behind what it
 * read, or -1 for anything that is wrong or merely unusual: the complete reader of `domain/transaction-record.ts` then decides.
 *
 * Bounds: `bytes[end - 1]` must be `}` (the caller checks). Code that steps over anything but a `}` may therefore look at the
 * next byte without asking whether there is one; only texts, which may hold a `}`, compare with `end`.
 */

const none = 0;
const plain = 1;
const digit = 2;
const capital = 4;
const small = 8;
const hyphen = 16;
const idMark = 32;

/** What a byte may be part of. `plain` is printable ASCII that a JSON text holds as it is. */
const classes = new Uint8Array(256);
for (let byte = 0x20; byte < 0x80; byte++) classes[byte] = byte === 0x22 || byte === 0x5c ? none : plain;
for (let byte = 0x21; byte < 0x7f; byte++) classes[byte]! |= classes[byte] === none ? none : idMark;
for (let byte = 0x30; byte <= 0x39; byte++) classes[byte]! |= digit;
for (let byte = 0x41; byte <= 0x5a; byte++) classes[byte]! |= capital;
for (let byte = 0x61; byte <= 0x7a; byte++) classes[byte]! |= small;
classes[0x2d]! |= hyphen;

/** Masks for `scanToken`. */
export const tokenOf = {
  accountNumber: digit | capital | small | hyphen,
  bankCode: digit | capital | small,
  creditCode: digit | capital,
  digits: digit,
  capitals: capital,
  /** Printable ASCII without space, quote and backslash. */
  transactionId: idMark,
} as const;

export function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
}

/** Behind spaces, tabs and line ends. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let c = bytes[at]!;
  while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = bytes[++at]!;
  return at;
}

/** Behind the `:` that follows a key and behind the spaces around it; `at` is behind the key's closing quote. */
export function skipColon(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== 0x3a) {
    at = skipSpace(bytes, at);
    if (bytes[at] !== 0x3a) return -1;
  }
  at++;
  return bytes[at]! <= 0x20 ? skipSpace(bytes, at) : at;
}

/**
 * After a member's value: at the next key's opening quote, at the object's `}`, or -1.
 * The two are told apart by looking at the byte.
 */
export function nextMember(bytes: Uint8Array, at: number): number {
  if (bytes[at]! <= 0x20) at = skipSpace(bytes, at);
  const c = bytes[at];
  if (c === 0x7d) return at;
  if (c !== 0x2c) return -1;
  at++;
  if (bytes[at]! <= 0x20) at = skipSpace(bytes, at);
  return bytes[at] === 0x22 ? at : -1;
}

/** The closing quote of a text that begins at the quote `at`, of lengthMin to lengthMax bytes of one class and nothing else. */
export function scanToken(
  bytes: Uint8Array,
  at: number,
  end: number,
  mask: number,
  lengthMin: number,
  lengthMax: number,
): number {
  if (bytes[at] !== 0x22) return -1;
  const start = at + 1;
  // A token that is cut off or too long ends this loop early; what stands there is then no quote.
  const limit = start + lengthMax < end ? start + lengthMax : end - 1;
  let p = start;
  while (p < limit && (classes[bytes[p]!]! & mask) !== 0) p++;
  return bytes[p] === 0x22 && p - start >= lengthMin ? p : -1;
}

/**
 * The closing quote of a text that begins at the quote `at`, of at most `charactersMax` code points (as the schema counts them):
 * valid UTF-8 and valid escapes, no bare control characters, no half surrogates.
 */
export function scanText(bytes: Uint8Array, at: number, end: number, charactersMax: number): number {
  if (bytes[at] !== 0x22) return -1;
  const start = at + 1;
  let p = start;
  // Bytes beyond the first of each character.
  let surplus = 0;
  while (p < end) {
    const c = bytes[p]!;
    if ((classes[c]! & plain) !== 0) {
      p++;
    } else if (c === 0x22) {
      return p - start - surplus <= charactersMax ? p : -1;
    } else {
      const length = c === 0x5c ? escapeLength(bytes, p, end) : sequenceLength(bytes, p, end);
      if (length === 0) return -1;
      p += length;
      surplus += length - 1;
    }
  }
  return -1;
}

/** Length of the UTF-8 sequence of two to four bytes at `p`, 0 for an invalid one (Unicode 15, table 3-7). */
function sequenceLength(bytes: Uint8Array, p: number, end: number): number {
  const c = bytes[p]!;
  if (c >= 0xe0 && c < 0xf0) {
    if (p + 2 >= end) return 0;
    const second = bytes[p + 1]!;
    if ((second & 0xc0) !== 0x80 || (bytes[p + 2]! & 0xc0) !== 0x80) return 0;
    // Overlong forms and surrogates.
    return (c === 0xe0 && second < 0xa0) || (c === 0xed && second > 0x9f) ? 0 : 3;
  }
  if (c >= 0xc2 && c < 0xe0) return p + 1 < end && (bytes[p + 1]! & 0xc0) === 0x80 ? 2 : 0;
  if (c < 0xf0 || c > 0xf4 || p + 3 >= end) return 0;
  const second = bytes[p + 1]!;
  if ((second & 0xc0) !== 0x80 || (bytes[p + 2]! & 0xc0) !== 0x80 || (bytes[p + 3]! & 0xc0) !== 0x80) return 0;
  return (c === 0xf0 && second < 0x90) || (c === 0xf4 && second > 0x8f) ? 0 : 4;
}

/** Length of the escape at the backslash `p`: 2, 6, 12 for a surrogate pair, 0 for an invalid one. */
function escapeLength(bytes: Uint8Array, p: number, end: number): number {
  if (p + 1 >= end) return 0;
  switch (bytes[p + 1]!) {
    case 0x22: // "
    case 0x5c: // \
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return 2;
    case 0x75: {
      const unit = hexUnit(bytes, p + 2, end);
      if (unit < 0) return 0;
      if (unit < 0xd800 || unit > 0xdfff) return 6;
      if (unit > 0xdbff || p + 7 >= end || bytes[p + 6] !== 0x5c || bytes[p + 7] !== 0x75) return 0;
      const low = hexUnit(bytes, p + 8, end);
      return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
    }
    default:
      return 0;
  }
}

function hexUnit(bytes: Uint8Array, p: number, end: number): number {
  if (p + 4 > end) return -1;
  let unit = 0;
  for (let i = p; i < p + 4; i++) {
    const c = bytes[i]!;
    const value = c >= 0x30 && c <= 0x39 ? c - 0x30 : (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66 ? (c | 0x20) - 0x57 : -1;
    if (value < 0) return -1;
    unit = unit * 16 + value;
  }
  return unit;
}

/** Keys seen so far in the objects that are open, as spans; an object's keys begin at its `base`. */
const keyStarts = new Int32Array(transactionMembersMax * transactionDepthMax);
const keyEnds = new Int32Array(keyStarts.length);

/**
 * Takes note of the key `bytes[start, end)` as number `index` and tells whether it may stand there: not a twin of one from
 * `base` on, not `__proto__` or `constructor`, no escapes, and not more keys than the table holds.
 */
function noteKey(bytes: Uint8Array, start: number, end: number, base: number, index: number): boolean {
  if (index >= keyStarts.length) return false;
  for (let i = start; i < end; i++) if (bytes[i] === 0x5c) return false;
  if (sameBytes(bytes, start, end, protoKey) || sameBytes(bytes, start, end, constructorKey)) return false;
  for (let i = base; i < index; i++) if (sameSpan(bytes, keyStarts[i]!, keyEnds[i]!, start, end)) return false;
  keyStarts[index] = start;
  keyEnds[index] = end;
  return true;
}

const protoKey = new TextEncoder().encode('__proto__');
const constructorKey = new TextEncoder().encode('constructor');

function sameBytes(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false;
  for (let i = 0; i < other.length; i++) if (bytes[start + i] !== other[i]) return false;
  return true;
}

function sameSpan(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let i = start, j = otherStart; i < end; i++, j++) if (bytes[i] !== bytes[j]) return false;
  return true;
}

/** Behind any value. `depthLeft` counts the levels that may still open; `keyBase` is the first free place of the key table. */
function skipValue(bytes: Uint8Array, at: number, end: number, depthLeft: number, keyBase: number): number {
  switch (bytes[at]!) {
    case 0x22: {
      const quote = scanText(bytes, at, end, end);
      return quote < 0 ? -1 : quote + 1;
    }
    case 0x7b:
      return depthLeft > 0 ? skipObject(bytes, at, end, depthLeft, keyBase) : -1;
    case 0x5b:
      return depthLeft > 0 ? skipArray(bytes, at, end, depthLeft, keyBase) : -1;
    case 0x74: // true
      return bytes[at + 1] === 0x72 && bytes[at + 2] === 0x75 && bytes[at + 3] === 0x65 ? at + 4 : -1;
    case 0x66: // false
      return bytes[at + 1] === 0x61 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x73 && bytes[at + 4] === 0x65 ? at + 5 : -1;
    case 0x6e: // null
      return bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c ? at + 4 : -1;
    default:
      return skipNumber(bytes, at);
  }
}

/** Behind the object that begins at the `{` of `at`. */
export function skipObject(bytes: Uint8Array, at: number, end: number, depthLeft: number, keyBase: number): number {
  let p = skipSpace(bytes, at + 1);
  if (bytes[p] === 0x7d) return p + 1;
  for (let index = keyBase; ; index++) {
    const quote = scanText(bytes, p, end, fieldNameCharactersMax);
    if (quote < 0 || index - keyBase >= transactionMembersMax || !noteKey(bytes, p + 1, quote, keyBase, index)) return -1;
    p = skipColon(bytes, quote + 1);
    if (p < 0) return -1;
    p = skipValue(bytes, p, end, depthLeft - 1, index + 1);
    if (p < 0 || p >= end) return -1;
    p = nextMember(bytes, p);
    if (p < 0) return -1;
    if (bytes[p] === 0x7d) return p + 1;
  }
}

function skipArray(bytes: Uint8Array, at: number, end: number, depthLeft: number, keyBase: number): number {
  let p = skipSpace(bytes, at + 1);
  if (bytes[p] === 0x5d) return p + 1;
  for (;;) {
    p = skipValue(bytes, p, end, depthLeft - 1, keyBase);
    if (p < 0 || p >= end) return -1;
    p = skipSpace(bytes, p);
    const c = bytes[p];
    if (c === 0x5d) return p + 1;
    if (c !== 0x2c) return -1;
    p = skipSpace(bytes, p + 1);
  }
}

/** Behind a number whose value a double holds: a safe integer, a fraction, or a negative exponent. */
function skipNumber(bytes: Uint8Array, at: number): number {
  let p = bytes[at] === 0x2d ? at + 1 : at;
  const start = p;
  let value = 0;
  for (let c = bytes[p]!; c >= 0x30 && c <= 0x39; c = bytes[++p]!) value = value * 10 + (c - 0x30);
  if (p === start || p - start > 16 || (bytes[start] === 0x30 && p - start > 1)) return -1;
  const isWhole = bytes[p] !== 0x2e;
  if (!isWhole) {
    const fraction = ++p;
    while (bytes[p]! >= 0x30 && bytes[p]! <= 0x39) p++;
    if (p === fraction) return -1;
  }
  if (value > Number.MAX_SAFE_INTEGER - (isWhole ? 0 : 1)) return -1;
  if (bytes[p] !== 0x65) return bytes[p] === 0x45 ? -1 : p;
  if (bytes[p + 1] !== 0x2d) return -1;
  const exponent = (p += 2);
  while (bytes[p]! >= 0x30 && bytes[p]! <= 0x39) p++;
  return p === exponent ? -1 : p;
}

/**
 * Skips key and value of a field the schema does not name; `at` is the key's opening quote, `index` its place among the unknown
 * keys that are open, of which this object's begin at `base`.
 */
export function skipUnknown(bytes: Uint8Array, at: number, end: number, base: number, index: number): number {
  // More or longer ones are left to the complete reader; with `payer.` before it a key stays within its bound.
  if (index - base >= unknownMembersMax) return -1;
  const quote = scanText(bytes, at, end, unknownKeyCharactersMax);
  if (quote < 0 || !noteKey(bytes, at + 1, quote, base, index)) return -1;
  const value = skipColon(bytes, quote + 1);
  // Under `extra` the value lies two levels inside the record.
  return value < 0 ? -1 : skipValue(bytes, value, end, transactionDepthMax - 2, index + 1);
}

/** Payer, payee and device together stay within `transactionMembersMax`. */
const unknownMembersMax = 40;
const unknownKeyCharactersMax = 56;

/** 1 when payer, payee or device of the record at hand held a field that the schema does not name. */
export const unnamedInside = new Int32Array(1);

/** A plain integer of at most 14 digits into `scannedInteger`; no fraction, no exponent, no leading zero, no -0. */
export function scanInteger(bytes: Uint8Array, at: number): number {
  const isNegative = bytes[at] === 0x2d;
  const start = isNegative ? at + 1 : at;
  let p = start;
  let value = 0;
  for (let c = bytes[p]!; c >= 0x30 && c <= 0x39; c = bytes[++p]!) value = value * 10 + (c - 0x30);
  if (p === start || p - start > 14) return -1;
  if (bytes[start] === 0x30 && (p - start > 1 || isNegative)) return -1;
  scannedInteger[0] = isNegative ? -value : value;
  const c = bytes[p];
  return c === 0x2e || c === 0x65 || c === 0x45 ? -1 : p;
}

/** What `scanInteger` read; a typed array because a plain variable would be boxed each time. */
export const scannedInteger = new Float64Array(1);

/** What `fourBytes` behind a quote needs from that quote on; no member or enum value of a record is shorter. */
export const lookAhead = 6;

/** The four bytes at `at` as one integer, the first byte highest. */
export function fourBytes(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** The end of a key or enum value, with the closing quote, for `matches`. */
export function closedLiteral(word: string): Uint8Array {
  return new TextEncoder().encode(`${word}"`);
}

/** Whether the literal stands at `at`. A mismatch ends the comparison, so that it never runs past the record's last brace. */
export function matches(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}
