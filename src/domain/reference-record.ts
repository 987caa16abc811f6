import type { z } from 'zod';
import { referenceSchema, sharedKey, type Profile, type Reference } from './reference.js';
import { parseStrictJson } from './strict-json.js';
import {
  decodeUtf8,
  fieldNameCharactersMax,
  isObject,
  reject,
  sentence,
  transactionMembersMax,
  type Rejection,
} from './transaction-record.js';
import { transactionBytesMax, transactionDepthMax } from './transaction.js';

/** A reference record as bytes: one JSON object in UTF-8 with a `type` that says what it is about. */

export type ReferenceReading = { readonly ok: true; readonly reference: Reference } | Rejection;
type ReferenceType = Reference['type'];

/** Longest `list` record, in bytes of UTF-8 JSON; every other type has the bound of a transaction. */
export const referenceBytesMax = 65_536;

const fieldsOf: ReadonlyMap<string, readonly string[]> = new Map(
  referenceSchema.options.map(({ shape }) => [shape.type.value, ['type', ...Object.keys(shape).filter((key) => key !== 'type')]]),
);
const types = [...fieldsOf.keys()].join(', ');

/** Reads `bytes[start, end)`. */
export function parseReference(bytes: Uint8Array, start: number, end: number): ReferenceReading {
  const size = end - start;
  if (size > referenceBytesMax) return oversized(size, referenceBytesMax);
  const text = decodeUtf8(bytes, start, end);
  if (text === undefined) return reject('malformed', '', 'not UTF-8; convert the file (GB18030?) before sending it');
  const json = parseStrictJson(text, limits);
  if (!json.ok) return reject(json.reason, json.field, json.message);
  if (!isObject(json.value)) return reject('malformed', '', 'expected one JSON object per record');
  const { type } = json.value;
  if (!isReferenceType(type)) return reject('invalid', 'type', `expected one of ${types}`);
  if (type !== 'list' && size > transactionBytesMax) return oversized(size, transactionBytesMax);
  const marked = controlCharacterIn(json.value, '');
  if (marked !== undefined) return reject('invalid', marked, 'a control character in a text; leave it out');
  const result = referenceSchema.safeParse(json.value);
  if (result.success) return { ok: true, reference: result.data };
  const [issue] = result.error.issues;
  if (issue === undefined) return reject('invalid', '', 'the record does not fit the schema');
  return refusal(issue, json.value, type);
}

/** Canonical JSON bytes: `type` first, fixed key order, defaults written out, no spaces. */
export function encodeReference(reference: Reference): Uint8Array {
  const values: Readonly<Record<string, unknown>> = reference;
  const ordered: Record<string, unknown> = {};
  for (const field of fieldsOf.get(reference.type) ?? []) ordered[field] = values[field];
  if (reference.type === 'login' && reference.device) {
    const { id, ip, mac } = reference.device;
    ordered['device'] = { id, ip, mac };
  }
  return encoder.encode(JSON.stringify(ordered));
}

/** Reads what `encodeReference` wrote. Throws `RangeError` for anything else: the log is damaged. */
export function decodeReference(bytes: Uint8Array, start: number, end: number): Reference {
  try {
    return referenceSchema.parse(JSON.parse(decoder.decode(bytes.subarray(start, end))));
  } catch (cause) {
    throw new RangeError('a reference record in it cannot be read', { cause });
  }
}

/**
 * Keys whose partitions get the record, the one that it is about first; `all` where any account may be asked about it: lists,
 * prices, and accounts of cases, which stand on the list `case-accounts` for whoever deals with them.
 */
export function routesOf(reference: Reference): 'all' | string[] {
  switch (reference.type) {
    case 'list':
    case 'case-account':
    case 'exchange-rate':
      return 'all';
    case 'profile':
      return [reference.account, ...sharedBy(reference)];
    case 'account-change':
      return [reference.account, ...(reference.what === 'opened' ? sharedBy(reference) : [])];
    case 'login':
    case 'stop-pay':
      return [reference.account];
  }
}

/** Keys of the things that the record says its account has. */
function sharedBy(record: Pick<Profile, 'legalRepId' | 'legalRep' | 'phone' | 'address' | 'agent'>): string[] {
  const { legalRepId, legalRep, phone, address, agent } = record;
  const person = legalRepId ?? legalRep;
  return [
    ...(person === undefined ? [] : [sharedKey('legal-rep', person)]),
    ...(phone === undefined ? [] : [sharedKey('phone', phone)]),
    ...(address === undefined ? [] : [sharedKey('address', address)]),
    ...(agent === undefined ? [] : [sharedKey('agent', agent)]),
  ];
}

/**
 * Tells lines that may have a member `type` from those that cannot, over all lines of `bytes` in one search. To be asked in the
 * order of the lines. False for a key written with escapes: such a line is never what the fast reader takes.
 */
export function createTypeFinder(bytes: Buffer): (start: number, end: number) => boolean {
  let found = -1;
  return (start, end) => {
    if (found < start) found = nextType(bytes, start);
    return found < end;
  };
}

function nextType(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(typeTail, from); at >= 0; at = bytes.indexOf(typeTail, at + 1)) {
    if (bytes[at - 1] === 0x74 && bytes[at - 2] === 0x22) return at - 2;
  }
  return bytes.length;
}

/** Of `"type"`: what stands before it is too frequent to search for. */
const typeTail = Buffer.from('ype"');

/** Whether the JSON object `bytes[start, end)` has a top-level `type` with the name of a reference record. Takes any bytes. */
export function isReferenceRecord(bytes: Uint8Array, start: number, end: number): boolean {
  const limit = Math.min(end, start + referenceBytesMax);
  let at = start;
  while (at < limit && bytes[at]! <= 0x20) at++;
  if (bytes[at] !== 0x7b) return false;
  let depth = 0;
  let isKeyNext = false;
  let isType = false;
  for (; at < limit; at++) {
    const c = bytes[at]!;
    if (c === 0x22) {
      const close = closingQuote(bytes, at, limit);
      if (close < 0) return false;
      if (depth === 1 && isKeyNext) isType = isTypeKey(bytes, at, close);
      else if (depth === 1 && isType && isReferenceType(textOf(bytes, at, close))) return true;
      if (depth === 1) isKeyNext = false;
      at = close;
    } else if (c === 0x7b || c === 0x5b) {
      depth++;
      isKeyNext = depth === 1;
    } else if (c === 0x7d || c === 0x5d) {
      if (--depth === 0) return false;
    } else if (c === 0x2c && depth === 1) {
      isKeyNext = true;
    }
  }
  return false;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

const limits = {
  depthMax: transactionDepthMax,
  membersMax: transactionMembersMax,
  keyCharactersMax: fieldNameCharactersMax,
};

function isReferenceType(type: unknown): type is ReferenceType {
  return typeof type === 'string' && fieldsOf.has(type);
}

function oversized(size: number, bytesMax: number): Rejection {
  return reject('oversized', '', `the record has ${size} bytes; at most ${bytesMax} are accepted`);
}

function refusal(issue: z.core.$ZodIssue, record: Record<string, unknown>, type: ReferenceType): Rejection {
  if (issue.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0] ?? ''].join('.');
    return reject('invalid', field, `is not a field of a ${type} record; leave it out`);
  }
  return reject('invalid', issue.path.join('.'), sentence(issue, record));
}

/** Path of the first text with one; undefined where there is none. */
function controlCharacterIn(value: unknown, path: string): string | undefined {
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  if (typeof value === 'string') return /[\u0000-\u001f\u007f]/.test(value) ? path : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = controlCharacterIn(inner, path === '' ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Of the text that begins at the quote `at`; -1 where it does not end. */
function closingQuote(bytes: Uint8Array, at: number, end: number): number {
  for (let i = at + 1; i < end; i++) {
    if (bytes[i] === 0x5c) i++;
    else if (bytes[i] === 0x22) return i;
  }
  return -1;
}

function isTypeKey(bytes: Uint8Array, at: number, close: number): boolean {
  if (close - at === 5) {
    return bytes[at + 1] === 0x74 && bytes[at + 2] === 0x79 && bytes[at + 3] === 0x70 && bytes[at + 4] === 0x65;
  }
  for (let i = at + 1; i < close; i++) if (bytes[i] === 0x5c) return textOf(bytes, at, close) === 'type';
  return false;
}

/** What the quotes at `at` and `close` hold, escapes resolved; undefined where it is too long for a name of interest. */
function textOf(bytes: Uint8Array, at: number, close: number): unknown {
  if (close - at > textBytesMax) return undefined;
  try {
    return JSON.parse(decoder.decode(bytes.subarray(at, close + 1)));
  } catch {
    return undefined;
  }
}

/** The longest name of a type with every character escaped. */
const textBytesMax = 2 + 6 * Math.max(...[...fieldsOf.keys()].map(({ length }) => length));
