import type { z } from 'zod';
import { formatShanghai } from '../domain/bank-day.js';
import type { referenceSchema } from '../domain/reference.js';

/** Reference records of the simulation: accounts are handles until the record is written down. */

type Input = z.input<typeof referenceSchema>;
type ByName = 'account' | 'entries' | 'related' | 'employees';
type HandleOf<R> = 'account' extends keyof R ? { readonly account: number } : unknown;
type Handles = {
  /** Handles become account numbers, texts stay as they are. */
  readonly entries: readonly (number | string)[];
  readonly related: readonly (number | string)[];
  readonly employees: readonly (number | string)[];
};
type Staged<R> = R extends Input
  ? Omit<R, 'id' | 'time' | ByName> &
      HandleOf<R> &
      Pick<Handles, 'entries' extends keyof R ? 'entries' : never> &
      Partial<Pick<Handles, 'related' extends keyof R ? 'related' | 'employees' : never>>
  : never;

/** A reference record without id and time. */
export type AnyStagedRecord = Staged<Input>;
export type StagedProfile = Extract<AnyStagedRecord, { type: 'profile' }>;

/** The record as one line of JSON in UTF-8, without the line's end. `numberOf` names the account of a handle. */
export function referenceLine(
  record: AnyStagedRecord,
  id: string,
  timeMs: number,
  numberOf: (account: number) => string,
): Uint8Array {
  const { type, ...rest } = record;
  const fields = Object.entries(rest).map(([name, value]) => [name, resolved(name, value, numberOf)] as const);
  return Buffer.from(JSON.stringify({ id, type, time: formatShanghai(timeMs), ...Object.fromEntries(fields) }), 'utf8');
}

const named: ReadonlySet<string> = new Set<ByName>(['account', 'entries', 'related', 'employees']);

function resolved(name: string, value: unknown, numberOf: (account: number) => string): unknown {
  if (!named.has(name)) return value;
  const one = (item: unknown): unknown => (typeof item === 'number' ? numberOf(item) : item);
  return Array.isArray(value) ? value.map(one) : one(value);
}
