import type { Change } from '../../../ports/state.js';
import type { Argument } from './connection.js';

/** The same bounds as the embedded state's, so that what works on one works on the other. */
const keyBytesMax = 1_978;
const keysMax = 100_000;
const commitBytesMax = 256 * 2 ** 20;

/** A change as the commit script takes it: four counts, then keys and values. */
export interface PreparedChange {
  readonly counts: readonly [absent: number, equal: number, put: number, deleted: number];
  readonly args: readonly Argument[];
  readonly bytes: number;
}

/** Throws `RangeError` where the change is too large, before anything is sent. */
export function prepareChange(slot: string, { expect = [], put = [], delete: deleted = [] }: Change): PreparedChange {
  assertCount(expect.length + put.length + deleted.length, 'keys in one commit');
  const absent = expect.filter(({ value }) => value === null).map(({ key }) => key);
  const equal = expect.flatMap(({ key, value }) => (value === null ? [] : [{ key, value }]));
  const pairs = [...equal, ...put];
  assertKeys(slot, [...absent, ...pairs.map(({ key }) => key), ...deleted]);
  const flat = pairs.flatMap(({ key, value }): Argument[] => [key, asBuffer(value)]);
  const bytes = pairs.reduce((sum, { key, value }) => sum + key.length + value.length, 0) + (absent.length + deleted.length) * 32;
  if (bytes > commitBytesMax)
    throw new RangeError(`state: a commit of ${bytes} bytes in slot "${slot}", at most ${commitBytesMax} are allowed`);
  return { counts: [absent.length, equal.length, put.length, deleted.length], args: [...absent, ...flat, ...deleted], bytes };
}

export const isEmpty = ({ expect = [], put = [], delete: deleted = [] }: Change): boolean =>
  expect.length + put.length + deleted.length === 0;

export function assertSlot(slot: string): void {
  if (slot.length === 0 || slot.includes('\0'))
    throw new RangeError(`state: slot ${JSON.stringify(slot)} must be a name without zero bytes`);
}

export function assertCount(count: number, what: string): void {
  if (!Number.isInteger(count) || count < 0 || count > keysMax)
    throw new RangeError(`state: ${count} ${what}, at most ${keysMax} are allowed`);
}

function assertKeys(slot: string, keys: readonly string[]): void {
  const slotBytes = Buffer.byteLength(slot) + 1;
  for (const key of keys) {
    const size = slotBytes + (key.length * 3 > keyBytesMax - slotBytes ? Buffer.byteLength(key) : key.length);
    if (size > keyBytesMax)
      throw new RangeError(
        `state: key "${key.slice(0, 40)}…" has ${size} bytes with its slot, at most ${keyBytesMax} are allowed`,
      );
  }
}

const asBuffer = (value: Uint8Array): Buffer =>
  Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
