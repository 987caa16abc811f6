import type { OutgoingRecord } from '../../ports/log.js';
import type { Change, CommitResult, SlotCommit, State, StateEntry } from '../../ports/state.js';
import { keyBytesMax, type LmdbEnvironment, type Table } from '../lmdb-environment.js';
import type { LmdbLog } from '../log/lmdb.js';

/** Keys that one call may name, and entries that one scan may return. */
const keysMax = 100_000;

/**
 * The state port on LMDB. Expectations are checked inside the write transaction, of which there is one at a time among all
 * processes, so that two commits can never both win. With the log of the same environment it writes `together`. The environment
 * stays open when the state is closed.
 */
export function createLmdbState(environment: LmdbEnvironment, log?: Pick<LmdbLog, 'prepare'>): State {
  const table = environment.textTable('state');
  let closed = false;

  function assertOpen(): void {
    if (closed) throw new Error('state: it is closed; open it again before using it');
  }

  async function together(
    { prepare: prepareAppend }: Pick<LmdbLog, 'prepare'>,
    commits: readonly SlotCommit[],
    records: readonly OutgoingRecord[],
  ): Promise<CommitResult> {
    assertOpen();
    const append = prepareAppend(records);
    const prepared = commits.map(({ slot, change }) => prepare(slotPrefix(slot), change));
    const changes = prepared.map(({ change }) => change);
    const bytes = prepared.reduce((sum, one) => sum + one.bytes, append.bytes);
    const result = await environment.write(bytes, () => {
      const applied = apply(table, changes);
      if (applied === 'committed') append.write();
      return applied;
    });
    if (result === 'committed') append.done();
    return result;
  }

  return {
    async get(slot, keys) {
      assertOpen();
      assertCount(keys.length, 'keys in one get');
      const prefix = slotPrefix(slot);
      environment.refresh();
      return keys.map((key) => readValue(table, prefix + key));
    },

    async scan(slot, { prefix, after, limit }) {
      assertOpen();
      assertCount(limit, 'entries in one scan');
      environment.refresh();
      return scanTable(table, slotPrefix(slot), prefix, after, limit);
    },

    async commit(slot, change) {
      assertOpen();
      const prepared = prepare(slotPrefix(slot), change);
      if (isEmpty(change)) return 'committed';
      return environment.write(prepared.bytes, () => apply(table, [prepared.change]));
    },

    ...(log ? { together: (commits, records) => together(log, commits, records) } : {}),

    close: async () => {
      closed = true;
    },
  };
}

/** All changes, if what all of them expect holds. */
function apply(table: Table<string>, changes: readonly Required<Change>[]): CommitResult {
  if (!changes.every(({ expect }) => expect.every(({ key, value }) => holds(table, key, value)))) return 'conflict';
  for (const change of changes) {
    for (const key of change.delete) void table.remove(key);
    for (const { key, value } of change.put) void table.put(key, value);
  }
  return 'committed';
}

function holds(table: Table<string>, key: string, value: Uint8Array | null): boolean {
  if (value === null) return !table.doesExist(key);
  const stored = table.getBinary(key);
  return stored !== undefined && Buffer.compare(stored, value) === 0;
}

function scanTable(table: Table<string>, slot: string, prefix: string, after: string | undefined, limit: number): StateEntry[] {
  const whole = slot + prefix;
  const resumes = after !== undefined && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0;
  // With an end: without one, whoever looks for three keys goes through as many of other slots as the limit allows.
  const bounds = { end: behindAll(whole), limit };
  const range = resumes ? { start: slot + after, exclusiveStart: true, ...bounds } : { start: whole, ...bounds };
  const entries: StateEntry[] = [];
  // The keys first: a value read while the cursor stands would lie in memory that the next step overwrites.
  const keys = limit === 0 ? [] : [...table.getKeys(range)];
  for (const key of keys) {
    const value = readValue(table, key);
    if (value) entries.push({ key: key.slice(slot.length), value });
  }
  return entries;
}

const lastCodePoint = 0x10ffff;
const beforeSurrogates = 0xd7ff;
const behindSurrogates = 0xe000;

/** The first text behind all that begin with `prefix`, in the order of their UTF-8 bytes; a slot's prefix always has one. */
function behindAll(prefix: string): string {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  while (points.at(-1) === lastCodePoint) points.pop();
  const last = points.pop()!;
  return String.fromCodePoint(...points, last === beforeSurrogates ? behindSurrogates : last + 1);
}

function readValue(table: Table<string>, key: string): Uint8Array | null {
  const bytes = table.getBinary(key);
  return bytes === undefined ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Whole keys, checked before they are queued, so that one bad key fails its own commit only. */
function prepare(slot: string, change: Change): { change: Required<Change>; bytes: number } {
  let bytes = 0;
  const keyOf = (key: string) => {
    const whole = slot + key;
    const size = whole.length * 3 > keyBytesMax ? Buffer.byteLength(whole) : whole.length;
    if (size > keyBytesMax)
      throw new RangeError(
        `state: key "${key.slice(0, 40)}…" has ${size} bytes with its slot, at most ${keyBytesMax} are allowed`,
      );
    bytes += size;
    return whole;
  };
  const { expect = [], put = [], delete: removed = [] } = change;
  assertCount(expect.length + put.length + removed.length, 'keys in one commit');
  const prepared = {
    expect: expect.map(({ key, value }) => ({ key: keyOf(key), value })),
    put: put.map(({ key, value }) => ({ key: keyOf(key), value })),
    delete: removed.map(keyOf),
  };
  for (const { value } of put) bytes += value.length;
  return { change: prepared, bytes };
}

function isEmpty({ expect = [], put = [], delete: removed = [] }: Change): boolean {
  return expect.length + put.length + removed.length === 0;
}

/** A zero byte ends the slot's name, so that no slot's keys can be mistaken for another's. */
function slotPrefix(slot: string): string {
  if (slot.length === 0 || slot.includes('\0'))
    throw new RangeError(`state: slot ${JSON.stringify(slot)} must be a name without zero bytes`);
  return `${slot}\0`;
}

function assertCount(count: number, what: string): void {
  if (!Number.isInteger(count) || count < 0 || count > keysMax)
    throw new RangeError(`state: ${count} ${what}, at most ${keysMax} are allowed`);
}
