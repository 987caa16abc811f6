/**
 * A hash of what a transaction record says, whatever its white space, the order of its keys, its escapes and whether defaults
 * are written out. 64 bits, not cryptographic: it is only ever compared with the hash of another record of the same bank under
 * the same id, to tell a repetition from a conflict.
 *
 * The record is a set of leaves (path, value); their mixed hashes are added up, so order does not matter. What a bank sends
 * beside the known fields and what canonical JSON keeps under `extra` have the same path.
 */

/** Result of the last `hashContent`: two 32-bit halves. */
export const contentHash = new Int32Array(2);

/**
 * Hashes the well-formed JSON object `bytes[start, end)` into `contentHash`. False where its text is not in the one form that
 * canonical JSON has (escapes, fractions, exponents): encode it canonically and hash that with `isCanonical`.
 */
export function hashContent(bytes: Uint8Array, start: number, end: number, isCanonical = false): boolean {
  canonical = isCanonical;
  low = 0;
  high = 0;
  source = bytes;
  sourceEnd = end;
  if (hashObject(start, 0, 0, topLevel) < 0) return false;
  contentHash[0] = low;
  contentHash[1] = high;
  return true;
}

const prime = 0x01000193;
const seed = 0x811c9dc5 | 0;
const topLevel = 0;
const insideExtra = 1;
const deeper = 2;

let source: Uint8Array = new Uint8Array(0);
let sourceEnd = 0;
let canonical = false;
let low = 0;
let high = 0;
/** Of the text or number last hashed. */
let valueLow = 0;
let valueHigh = 0;

const knownPaths = new Set(
  [
    'id',
    'time',
    'amountFen',
    'currency',
    'status',
    'payer',
    'payee',
    'bank',
    'channel',
    'remark',
    'device',
    'operator',
    'extra',
  ].map((name) => extend(0, name)),
);
const extraPath = extend(0, 'extra');
const currencyPath = extend(0, 'currency');
const statusPath = extend(0, 'status');
const defaultCurrency = tokenHash('"CNY"');
const defaultStatus = tokenHash('"settled"');

/** `at` is at the `{`; returns the position behind the `}`, -1 for text that is not in canonical form. `path` 0 is the record itself. */
function hashObject(at: number, path: number, depth: number, level: number): number {
  if (depth > 16) return -1;
  // A local name is read from a register, the module's is not.
  const bytes = source;
  at = skipSpace(at + 1);
  if (bytes[at] === 0x7d) {
    if (level === deeper) addLeaf(path, 0x7b7d, 0x7d7b);
    return at + 1;
  }
  for (;;) {
    let member = path === 0 ? seed : Math.imul(path ^ 0x2e, prime);
    let c = bytes[++at]!;
    while (c !== 0x22) {
      if (c === 0x5c && !canonical) return -1;
      if (c === 0x5c) {
        member = Math.imul(member ^ c, prime);
        c = bytes[++at]!;
      }
      member = Math.imul(member ^ c, prime);
      c = bytes[++at]!;
    }
    // A bank's own field under `extra` that is named like one of ours is not ours.
    if (level === insideExtra && knownPaths.has(member)) member = Math.imul(member ^ 0x3f, prime);
    at = skipSpace(at + 1);
    at = skipSpace(at + 1);
    at = hashValue(at, member, depth, level === topLevel && member === extraPath ? insideExtra : deeper);
    if (at < 0) return -1;
    at = skipSpace(at);
    if (bytes[at] === 0x7d) return at + 1;
    at = skipSpace(at + 1);
  }
}

function hashValue(at: number, path: number, depth: number, level: number): number {
  const c = source[at]!;
  if (c === 0x22) {
    at = hashText(at);
    if (at < 0) return -1;
    if (path === currencyPath && valueLow === defaultCurrency.low && valueHigh === defaultCurrency.high) return at;
    if (path === statusPath && valueLow === defaultStatus.low && valueHigh === defaultStatus.high) return at;
    addLeaf(path, valueLow, valueHigh);
    return at;
  }
  // What stands under `extra` has the path that it would have without it.
  if (c === 0x7b) return hashObject(at, level === insideExtra ? 0 : path, depth + 1, level);
  if (c === 0x5b) return hashArray(at, path, depth + 1);
  return hashPlain(at, path);
}

function hashArray(at: number, path: number, depth: number): number {
  if (depth > 16) return -1;
  at = skipSpace(at + 1);
  if (source[at] === 0x5d) {
    addLeaf(path, 0x5b5d, 0x5d5b);
    return at + 1;
  }
  for (let index = 0; ; index++) {
    at = hashValue(at, Math.imul(path ^ (0x5b00 + index), prime), depth, deeper);
    if (at < 0) return -1;
    at = skipSpace(at);
    if (source[at] === 0x5d) return at + 1;
    at = skipSpace(at + 1);
  }
}

function hashText(at: number): number {
  const bytes = source;
  let one = Math.imul(seed ^ 0x22, prime);
  let two = 0x9747b28c | 0;
  let c = bytes[++at]!;
  while (c !== 0x22) {
    if (c === 0x5c) {
      if (!canonical) return -1;
      one = Math.imul(one ^ c, prime);
      two = Math.imul(two ^ c, 0x5bd1e995);
      c = bytes[++at]!;
    }
    one = Math.imul(one ^ c, prime);
    two = Math.imul(two ^ c, 0x5bd1e995);
    c = bytes[++at]!;
  }
  valueLow = one;
  valueHigh = two;
  return at + 1;
}

/** A number, `true`, `false` or `null`. */
function hashPlain(at: number, path: number): number {
  const bytes = source;
  let one = seed;
  let two = 0x9747b28c | 0;
  const first = bytes[at]!;
  const isNumber = first === 0x2d || (first >= 0x30 && first <= 0x39);
  if (!canonical && first === 0x2d && bytes[at + 1] === 0x30) return -1;
  while (at < sourceEnd) {
    const c = bytes[at]!;
    if (c === 0x2c || c === 0x7d || c === 0x5d || c <= 0x20) break;
    if (isNumber && !canonical && c !== 0x2d && (c < 0x30 || c > 0x39)) return -1;
    one = Math.imul(one ^ c, prime);
    two = Math.imul(two ^ c, 0x5bd1e995);
    at++;
  }
  addLeaf(path, one, two);
  return at;
}

function addLeaf(path: number, one: number, two: number): void {
  low = (low + mix(path ^ Math.imul(one, 0x85ebca6b))) | 0;
  high = (high + mix(Math.imul(path, 0xc2b2ae35) ^ two)) | 0;
}

function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function skipSpace(at: number): number {
  while (source[at]! <= 0x20) at++;
  return at;
}

function extend(path: number, name: string): number {
  let hash = path === 0 ? seed : Math.imul(path ^ 0x2e, prime);
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), prime);
  return hash;
}

function tokenHash(text: string): { low: number; high: number } {
  source = new TextEncoder().encode(text);
  canonical = true;
  hashText(0);
  return { low: valueLow, high: valueHigh };
}
