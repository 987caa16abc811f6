import { createHash } from 'node:crypto';
import { archivedTopics, type ArchivedTopic, type Log, type LogRecord } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { WarehouseRows, WarehouseTable } from '../ports/warehouse-rows.js';
import type { Warehouse } from '../ports/warehouse.js';
import { archivedUpTo } from './archive-positions.js';
import { buildRows } from './archive-slice.js';
import { tableOfTopic } from './event-rows.js';
import { eachRecord, endsOfTopics, placeOf, type Ends, type VerifyProgress } from './verify-scan.js';
import { createTally, digestOf, type Finding, type Tally } from './verify-tally.js';

/**
 * Compares the rows of the archive with the log: every record below the archived position has its row, each row has its record,
 * and the record within the row is the one of the log. A share of the ids at a time, where all would take too much memory.
 */
export interface VerifyArchiveOptions {
  readonly log: Log;
  readonly state: State;
  readonly warehouse: Warehouse;
  /** Rows held at once. */
  readonly heldMax: number;
  /** The archive may have dropped rows of earlier times; -Infinity where it keeps all. */
  readonly keptSinceMs: (table: WarehouseTable) => number;
  readonly progress: VerifyProgress;
}

/** What names a row, and the column that holds the whole record. */
interface Shape<T extends WarehouseTable> {
  readonly topics: readonly ArchivedTopic[];
  readonly key: readonly (keyof WarehouseRows[T] & string)[];
  readonly time: keyof WarehouseRows[T] & string;
  readonly content: keyof WarehouseRows[T] & string;
}

const topicsOf = (table: WarehouseTable): ArchivedTopic[] =>
  archivedTopics.filter((topic) => topic !== 'transactions' && tableOfTopic[topic] === table);

/** In the order of the flow. */
const shapes: { readonly [T in WarehouseTable]: Shape<T> } = {
  transactions: { topics: ['transactions'], key: ['time', 'bank', 'id'], time: 'time', content: 'raw' },
  references: { topics: ['transactions'], key: ['type', 'time', 'bank', 'id'], time: 'received_at', content: 'body' },
  rejected: { topics: topicsOf('rejected'), key: ['received_at', 'id'], time: 'received_at', content: 'raw' },
  hits: { topics: topicsOf('hits'), key: ['time', 'id'], time: 'time', content: 'data' },
  warnings: { topics: topicsOf('warnings'), key: ['id'], time: 'last_time', content: 'data' },
  deliveries: { topics: topicsOf('deliveries'), key: ['warning', 'id'], time: 'time', content: 'data' },
  events: { topics: topicsOf('events'), key: ['type', 'time', 'id'], time: 'time', content: 'data' },
};

interface Row {
  readonly key: string;
  readonly digest: number;
  readonly timeMs: number;
  /** Of a warning; 0 for all others. */
  readonly revision: number;
}

interface Expected {
  /** More than one where the same record came in two spellings: either may be kept. */
  digests: readonly number[];
  revision: number;
  readonly timeMs: number;
  found: boolean;
}

/** Which rows are looked at together: those whose key hashes to `value` modulo `of`. */
interface Share {
  readonly of: number;
  readonly value: number;
}

const instants = new Set(['time', 'received_at', 'last_time']);
const separator = '\u0001';
const recordsPerBuild = 256;

class TooMany extends Error {}

export async function verifyArchive(options: VerifyArchiveOptions): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const table of Object.keys(shapes) as WarehouseTable[]) {
    const count = await rowCount(options.warehouse, table);
    findings.push(await verifyTable(options, table, Math.ceil((count + 1) / options.heldMax)));
  }
  return findings;
}

/** In `shares` shares, and in twice as many where one of them turns out too large. */
async function verifyTable(options: VerifyArchiveOptions, table: WarehouseTable, shares: number): Promise<Finding> {
  const tally = createTally('archive', table);
  try {
    for (let value = 0; value < shares; value++) await verifyShare(options, table, { of: shares, value }, tally);
  } catch (error) {
    if (error instanceof TooMany) return verifyTable(options, table, shares * 2);
    throw error;
  }
  return tally.finding();
}

async function verifyShare(options: VerifyArchiveOptions, table: WarehouseTable, share: Share, tally: Tally): Promise<void> {
  const { log, heldMax, keptSinceMs } = options;
  const positions = await archivedPositions(options, shapes[table].topics);
  const expected = new Map<string, Expected>();
  await eachRow(options, table, share, { upTo: positions }, (row) => {
    expectRow(expected, row);
    if (expected.size > heldMax) throw new TooMany();
  });
  const odd = await oddRows(options, table, share, expected, tally);
  if (odd.size > 0) {
    // Stored and not noted yet, or stored meanwhile.
    await eachRow(options, table, share, { from: positions }, ({ key, digest }) => {
      if (odd.get(key) === digest) odd.delete(key);
    });
  }
  const isTrimmed = await hasLost(log, shapes[table].topics);
  for (const key of odd.keys()) {
    if (expected.has(key)) tally.differs({ kind: 'different', id: idOf(table, key), at: table });
    // Its record has left the log.
    else if (isTrimmed) tally.incomparable();
    else tally.differs({ kind: 'phantom', id: idOf(table, key), at: table });
  }
  const unfound = [...expected].filter(([, { found }]) => !found);
  const refused = unfound.length > 0 ? await refusedKeys(options, table, share) : new Set<string>();
  for (const [key, { timeMs }] of unfound) {
    if (timeMs < keptSinceMs(table) || refused.has(key)) tally.incomparable();
    else tally.differs({ kind: 'missing', id: idOf(table, key), at: table });
  }
  if (share.value > 0) return;
  const ends = await endsOfTopics(log, shapes[table].topics);
  for (const [place, end] of ends) tally.pending(Math.max(0, end - (positions.get(place) ?? 0)));
}

function expectRow(expected: Map<string, Expected>, { key, digest, timeMs, revision }: Row): void {
  const known = expected.get(key);
  if (!known) expected.set(key, { digests: [digest], revision, timeMs, found: false });
  else if (revision > known.revision) Object.assign(known, { digests: [digest], revision });
  else if (revision === known.revision && !known.digests.includes(digest)) known.digests = [...known.digests, digest];
}

/** Rows of the archive that are not expected as they are, with their digests. */
async function oddRows(
  { warehouse, progress, heldMax }: VerifyArchiveOptions,
  table: WarehouseTable,
  { of, value }: Share,
  expected: ReadonlyMap<string, Expected>,
  tally: Tally,
): Promise<Map<string, number>> {
  const { key, content } = shapes[table];
  const columns = key.map((name) => (instants.has(name) ? `toString(toUnixTimestamp64Milli(${name}))` : `toString(${name})`));
  const keySql = columns.length === 1 ? columns[0] : `concat(${columns.join(`, '\\x01', `)})`;
  const odd = new Map<string, number>();
  let rows = 0;
  const sql = `SELECT toJSONString([k, toString(d)]) FROM (
      SELECT ${keySql} AS k, bitShiftRight(halfMD5(${content}), 16) AS d FROM ${table} FINAL
    ) WHERE bitShiftRight(halfMD5(k), 32) % {of:UInt32} = {value:UInt32}`;
  for await (const line of linesOf(warehouse.lines(sql, { of, value }))) {
    if (++rows % 1_024 === 0) progress(`archive, ${table}: compared`, rows, expected.size);
    const [name, digest] = JSON.parse(line) as [string, string];
    const known = expected.get(name);
    if (!known?.digests.includes(Number(digest))) odd.set(name, Number(digest));
    else tally.equal();
    if (known) known.found = true;
    if (odd.size > heldMax) throw new TooMany();
  }
  return odd;
}

const refusedMax = 100_000;

/** Rows that the warehouse has refused for good: they are kept apart, as text. */
async function refusedKeys({ warehouse }: VerifyArchiveOptions, table: WarehouseTable, share: Share): Promise<Set<string>> {
  const [there] = await warehouse.query<{ result: number }>('EXISTS TABLE quarantined');
  if (there?.result !== 1) return new Set();
  const rows = await warehouse.query<{ row: string }>(
    'SELECT row FROM quarantined FINAL WHERE table_name = {table:String} LIMIT {most:UInt32}',
    { table, most: refusedMax },
  );
  return new Set(rows.flatMap(({ row }) => rowOf(table, JSON.parse(row) as Record<string, unknown>, share)?.key ?? []));
}

/** Rows that the log leads to, one after the other, as the archive makes them. */
async function eachRow(
  { log, progress }: VerifyArchiveOptions,
  table: WarehouseTable,
  share: Share,
  { from, upTo }: { readonly from?: Ends; readonly upTo?: Ends },
  take: (row: Row) => void,
): Promise<void> {
  const { topics } = shapes[table];
  for (const topic of topics) {
    for (let partition = 0; partition < log.partitions(topic); partition++) {
      const place = placeOf(topic, partition);
      let records: LogRecord[] = [];
      const build = async (): Promise<void> => {
        for (const built of await buildRows(topic, partition, records)) {
          if (built.table !== table) continue;
          for (const line of Buffer.from(built.bytes).toString().split('\n')) {
            const row = line === '' ? null : rowOf(table, JSON.parse(line) as Record<string, unknown>, share);
            if (row) take(row);
          }
        }
        records = [];
      };
      await eachRecord(log, topic, partition, { from: from?.get(place), upTo: upTo?.get(place) }, async (value, offset) => {
        records.push({ value, offset });
        if (records.length < recordsPerBuild) return;
        progress(`${place}: rows of ${table}`, offset, upTo?.get(place) ?? 0);
        await build();
      });
      await build();
    }
  }
}

/** Null for a row of another share. */
function rowOf(table: WarehouseTable, row: Record<string, unknown>, { of, value }: Share): Row | null {
  const shape = shapes[table];
  const textOf = (name: string): string => (typeof row[name] === 'string' ? row[name] : '');
  const key = shape.key.map((name) => (instants.has(name) ? String(Date.parse(textOf(name))) : textOf(name))).join(separator);
  if (of > 1 && createHash('md5').update(key).digest().readUInt32BE(0) % of !== value) return null;
  const revision = table === 'warnings' && typeof row['revision'] === 'number' ? row['revision'] : 0;
  return { key, digest: digestOf(textOf(shape.content)), timeMs: Date.parse(textOf(shape.time)), revision };
}

/** The last part of a key is the row's id. */
function idOf(table: WarehouseTable, key: string): string {
  return key
    .split(separator)
    .slice(shapes[table].key.length - 1)
    .join(separator);
}

async function archivedPositions({ log, state }: VerifyArchiveOptions, topics: readonly ArchivedTopic[]): Promise<Ends> {
  const positions = new Map<string, number>();
  for (const topic of topics) {
    for (let partition = 0; partition < log.partitions(topic); partition++)
      positions.set(placeOf(topic, partition), (await archivedUpTo(state, topic, partition)) ?? 0);
  }
  return positions;
}

async function hasLost(log: Log, topics: readonly ArchivedTopic[]): Promise<boolean> {
  for (const topic of topics) {
    for (let partition = 0; partition < log.partitions(topic); partition++) {
      if ((await log.bounds(topic, partition)).first > 0) return true;
    }
  }
  return false;
}

async function rowCount(warehouse: Warehouse, table: WarehouseTable): Promise<number> {
  const [row] = await warehouse.query<{ n: string }>(`SELECT toString(count()) AS n FROM ${table}`);
  return Number(row?.n ?? 0);
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
