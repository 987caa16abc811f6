import type { z } from 'zod';
import { maskAccount } from './privacy.js';
import { parseStrictJson } from './strict-json.js';
import { transactionBytesMax, transactionDepthMax, transactionSchema, type Party, type Transaction } from './transaction.js';

/** A transaction as bytes: one JSON object in UTF-8. This is the complete and slow reading; `scoring/reader.ts` has the fast one. */

/** Why a record was refused. The first four come from reading the record alone; the rest from what intake knows beside it. */
export const rejectReasons = ['malformed', 'oversized', 'too-deep', 'invalid', 'future-dated', 'conflict', 'duplicate'] as const;
export type RejectReason = (typeof rejectReasons)[number];

/** Most fields of one object inside a record, and longest name of one in code points. */
export const transactionMembersMax = 128;
export const fieldNameCharactersMax = 64;

export interface Rejection {
  readonly ok: false;
  readonly reason: RejectReason;
  /** Path of the field at fault, such as `payer.account`; '' where it is the record as a whole. */
  readonly field: string;
  /** One sentence for the bank's engineer, without the value itself. */
  readonly message: string;
}

export type TransactionReading = { readonly ok: true; readonly transaction: Transaction } | Rejection;

/** Reads `bytes[start, end)`. Fields without a name in the schema come back under `extra`, those of a party as `payer.phone`. */
export function parseTransaction(bytes: Uint8Array, start: number, end: number): TransactionReading {
  const size = end - start;
  if (size > transactionBytesMax) {
    return reject('oversized', '', `the record has ${size} bytes; at most ${transactionBytesMax} are accepted`);
  }
  const text = decodeUtf8(bytes, start, end);
  if (text === undefined) return reject('malformed', '', 'not UTF-8; convert the file (GB18030?) before sending it');
  const json = parseStrictJson(text, recordLimits);
  if (!json.ok) return reject(json.reason, json.field, json.message);
  if (!isObject(json.value)) return reject('malformed', '', 'expected one JSON object per transaction');
  return validate(json.value);
}

/** Canonical JSON bytes: fixed key order, defaults written out, no spaces. `scanTransaction` reads them always. */
export function encodeTransaction(transaction: Transaction): Uint8Array {
  const { id, time, amountFen, currency, status, payer, payee, bank, channel, remark, device, operator, extra } = transaction;
  const ordered: Record<keyof Transaction, unknown> = {
    id,
    time,
    amountFen,
    currency,
    status,
    payer: orderedParty(payer),
    payee: orderedParty(payee),
    bank,
    channel,
    remark,
    device: device && { id: device.id, ip: device.ip, mac: device.mac },
    operator,
    extra,
  };
  return encoder.encode(JSON.stringify(ordered));
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

const topLevelFields: ReadonlySet<string> = new Set(Object.keys(transactionSchema.shape));
const innerFields: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['payer', new Set(Object.keys(transactionSchema.shape.payer.shape))],
  ['payee', new Set(Object.keys(transactionSchema.shape.payee.shape))],
  ['device', new Set(Object.keys(transactionSchema.shape.device.unwrap().shape))],
]);

const recordLimits = {
  depthMax: transactionDepthMax,
  membersMax: transactionMembersMax,
  keyCharactersMax: fieldNameCharactersMax,
  movesDeeper: (key: string) => !topLevelFields.has(key),
  plainIntegers: new Set(['amountFen', 'payer.balanceFen', 'payee.balanceFen']),
};

function orderedParty(party: Party): Record<keyof Party, unknown> {
  const { account, name, kind, bank, creditCode, region, openedOn, balanceFen } = party;
  return { account, name, kind, bank, creditCode, region, openedOn, balanceFen };
}

function validate(record: Record<string, unknown>): TransactionReading {
  const gathered = gatherUnknown(record);
  if (!gathered.ok) return gathered;
  const result = transactionSchema.safeParse(gathered.record);
  if (result.success) return { ok: true, transaction: result.data };
  const [issue] = result.error.issues;
  if (issue === undefined) return reject('invalid', '', 'the record does not fit the schema');
  return reject('invalid', issue.path.join('.'), sentence(issue, record));
}

/** Moves every field the schema does not name under `extra`, so that nothing a bank sends is lost. */
function gatherUnknown(record: Record<string, unknown>): { ok: true; record: Record<string, unknown> } | Rejection {
  const known: Record<string, unknown> = {};
  const unknown: (readonly [string, unknown])[] = [];
  for (const [key, value] of Object.entries(record)) {
    if (!topLevelFields.has(key)) unknown.push([key, value]);
    else if (innerFields.has(key) && isObject(value)) known[key] = splitInner(key, value, unknown);
    else known[key] = value;
  }
  const extra = known['extra'] === undefined ? {} : known['extra'];
  if (unknown.length === 0 || !isObject(extra)) return { ok: true, record: known };
  const merged = { ...extra };
  for (const [key, value] of unknown) {
    if (Object.hasOwn(merged, key)) return reject('invalid', key, 'two fields would both be kept under this name; send it once');
    merged[key] = value;
  }
  if (Object.keys(merged).length > transactionMembersMax) {
    return reject('invalid', 'extra', `more than ${transactionMembersMax} unknown fields; send fewer`);
  }
  known['extra'] = merged;
  return { ok: true, record: known };
}

function splitInner(
  name: string,
  value: Record<string, unknown>,
  unknown: (readonly [string, unknown])[],
): Record<string, unknown> {
  const known: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    if (innerFields.get(name)?.has(key)) known[key] = inner;
    else unknown.push([`${name}.${key}`, inner]);
  }
  return known;
}

export function sentence(issue: z.core.$ZodIssue, record: Record<string, unknown>): string {
  if (issue.code === 'invalid_key') return 'the name of an unknown field may have at most 64 characters';
  // The schema's own words for a number speak of its kind, not of its bound.
  if (issue.code === 'too_big' && issue.origin !== 'string') return `expected at most ${issue.maximum}`;
  if (issue.code !== 'invalid_type') return issue.message;
  const value = valueAt(record, issue.path);
  if (value === undefined) return 'is required, and missing';
  if (value === null) return 'null is not accepted; leave the field out';
  if (issue.expected === 'string' && typeof value === 'number') {
    return 'expected text in quotes; as a number it loses leading zeros and digits';
  }
  return issue.message;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => {
    if (Array.isArray(inner) && typeof key === 'number') return inner[key] as unknown;
    return isObject(inner) && typeof key === 'string' ? inner[key] : undefined;
  }, value);
}

export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A path may be a key that a bank made up, as long as a record and with an account number in it. */
export function reject(reason: RejectReason, field: string, message: string): Rejection {
  const shown = field.replaceAll(/[0-9]{8,}/g, maskAccount);
  return { ok: false, reason, field: shown.length > 80 ? `${shown.slice(0, 79)}…` : shown, message };
}
