/**
 * JSON for records that decide about money: what `JSON.parse` would take silently is refused here with a place and a reason —
 * duplicate keys, `__proto__` and `constructor` keys, numbers that lose digits, lone surrogates, too deep nesting.
 */

export type StrictJson =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly reason: 'malformed' | 'too-deep' | 'invalid';
      /** Path of the value, such as `payer.balanceFen`; '' for the whole. */
      readonly field: string;
      readonly message: string;
    };

export interface StrictJsonLimits {
  /** Deepest nesting of objects and arrays; the outermost one counts as 1. */
  readonly depthMax: number;
  /** Most members of one object. */
  readonly membersMax: number;
  /** Longest key, in code points. */
  readonly keyCharactersMax: number;
  /** Fields that go one level deeper once the record is put in order: they may nest one level less. */
  readonly movesDeeper?: (topLevelKey: string) => boolean;
  /** Paths whose numbers must be written as plain integers: no fraction, no exponent, no -0. */
  readonly plainIntegers?: ReadonlySet<string>;
}

/** Keys that would reach an object's prototype in careless code further on. */
const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor']);

export function parseStrictJson(text: string, limits: StrictJsonLimits): StrictJson {
  const cursor: Cursor = { text, at: 0, limits };
  try {
    const value = readValue(cursor, '', 1);
    skipSpace(cursor);
    if (cursor.at < text.length) throw malformed(cursor, 'nothing more');
    return { ok: true, value };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, reason: error.reason, field: error.field, message: error.message };
    throw error;
  }
}

interface Cursor {
  readonly text: string;
  at: number;
  readonly limits: StrictJsonLimits;
}

/** Carries a refusal out of the recursion; never leaves this file. */
class Refusal extends Error {
  readonly reason: 'malformed' | 'too-deep' | 'invalid';
  readonly field: string;
  constructor(reason: 'malformed' | 'too-deep' | 'invalid', field: string, message: string) {
    super(message);
    this.reason = reason;
    this.field = field;
  }
}

function readValue(cursor: Cursor, path: string, depth: number): unknown {
  skipSpace(cursor);
  const first = cursor.text[cursor.at];
  if (first === '"') return readString(cursor, path);
  if (first === '{' || first === '[') {
    if (depth > cursor.limits.depthMax) {
      throw new Refusal('too-deep', path, `nested deeper than ${cursor.limits.depthMax} levels; flatten the record`);
    }
    return first === '{' ? readObject(cursor, path, depth) : readArray(cursor, path, depth);
  }
  for (const [word, value] of words) {
    if (cursor.text.startsWith(word, cursor.at)) {
      cursor.at += word.length;
      return value;
    }
  }
  return readNumber(cursor, path);
}

const words: readonly (readonly [string, unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

function readObject(cursor: Cursor, path: string, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  cursor.at++;
  skipSpace(cursor);
  if (takes(cursor, '}')) return object;
  for (let members = 1; ; members++) {
    skipSpace(cursor);
    if (cursor.text[cursor.at] !== '"') throw malformed(cursor, 'a key in double quotes');
    const key = readString(cursor, path);
    const field = path === '' ? key : `${path}.${key}`;
    const problem = keyProblem(key, object, members, cursor.limits);
    if (problem !== undefined) throw new Refusal('invalid', field, problem);
    skipSpace(cursor);
    if (!takes(cursor, ':')) throw malformed(cursor, `':' after a key`);
    const deeper = depth === 1 && cursor.limits.movesDeeper?.(key) === true ? 1 : 0;
    object[key] = readValue(cursor, field, depth + 1 + deeper);
    skipSpace(cursor);
    if (takes(cursor, '}')) return object;
    if (!takes(cursor, ',')) throw malformed(cursor, `',' or '}'`);
  }
}

function keyProblem(key: string, object: object, members: number, limits: StrictJsonLimits): string | undefined {
  if (forbiddenKeys.has(key)) return `the key ${key} is not allowed; rename the field`;
  if (Object.hasOwn(object, key)) return 'the key stands twice; send each field once';
  if (codePoints(key) > limits.keyCharactersMax)
    return `the name of a field may have at most ${limits.keyCharactersMax} characters`;
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  if (/["\\\u0000-\u001f]/.test(key)) return 'the name of a field may not hold quotes, backslashes or control characters';
  if (members > limits.membersMax) return `more than ${limits.membersMax} fields in one object`;
  return undefined;
}

function codePoints(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i += text.codePointAt(i)! > 0xffff ? 2 : 1) count++;
  return count;
}

function readArray(cursor: Cursor, path: string, depth: number): unknown[] {
  const array: unknown[] = [];
  cursor.at++;
  skipSpace(cursor);
  if (takes(cursor, ']')) return array;
  for (;;) {
    array.push(readValue(cursor, `${path}[${array.length}]`, depth + 1));
    skipSpace(cursor);
    if (takes(cursor, ']')) return array;
    if (!takes(cursor, ',')) throw malformed(cursor, `',' or ']'`);
  }
}

function readString(cursor: Cursor, path: string): string {
  const { text, at: start } = cursor;
  let at = start + 1;
  let escaped = false;
  for (; text[at] !== '"'; at++) {
    if (at >= text.length) throw malformed(cursor, 'the closing quote of a text that begins here');
    if (text.charCodeAt(at) < 0x20) {
      cursor.at = at;
      throw malformed(cursor, 'an escape such as \\n instead of a bare control character');
    }
    if (text[at] === '\\') {
      escaped = true;
      at++;
    }
  }
  cursor.at = at + 1;
  if (!escaped) return text.slice(start + 1, at);
  const value = resolveEscapes(text.slice(start, at + 1));
  if (value === undefined) {
    cursor.at = start;
    throw malformed(cursor, 'only the escapes of JSON in a text that begins here');
  }
  if (/[\ud800-\udfff]/u.test(value))
    throw new Refusal('invalid', path, 'half of a surrogate pair (\\ud800 to \\udfff) in a text');
  return value;
}

function resolveEscapes(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined;
  }
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

function readNumber(cursor: Cursor, path: string): number {
  number.lastIndex = cursor.at;
  const token = number.exec(cursor.text)?.[0];
  if (token === undefined) throw malformed(cursor, 'a value');
  cursor.at += token.length;
  const value = Number(token);
  if (cursor.limits.plainIntegers?.has(path) === true && (token === '-0' || /[.eE]/.test(token))) {
    throw new Refusal('invalid', path, 'expected a plain integer, without a fraction, an exponent or -0');
  }
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
    throw new Refusal('invalid', path, 'a number this large loses digits; an account or serial number belongs in quotes');
  }
  return value;
}

function skipSpace(cursor: Cursor): void {
  for (; cursor.at < cursor.text.length; cursor.at++) {
    const character = cursor.text[cursor.at];
    if (character !== ' ' && character !== '\n' && character !== '\r' && character !== '\t') return;
  }
}

function takes(cursor: Cursor, character: string): boolean {
  if (cursor.text[cursor.at] !== character) return false;
  cursor.at++;
  return true;
}

/** The text itself is not quoted in the message: it may hold account numbers. */
function malformed(cursor: Cursor, expected: string): Refusal {
  const place = cursor.at < cursor.text.length ? `at character ${cursor.at + 1}` : 'at the end of the record';
  return new Refusal('malformed', '', `not JSON ${place}: expected ${expected}`);
}
