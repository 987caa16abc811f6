import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventRows } from '../../src/pipeline/event-rows.js';
import { isDifferent } from '../../src/pipeline/verify-tally.js';
import type { Warehouse } from '../../src/ports/warehouse.js';
import { hitsOn, temporaryEmbedded, valuesOn } from '../support/embedded.js';
import { patternStoreOf, startPipeline } from '../support/pipeline.js';
import { exampleRecords } from '../support/references.js';
import { body, makeStream } from '../support/stream.js';
import { openWarehouse, startArchive } from './archive-support.js';
import { differencesOf, firstSet, sumOf, verifyStore } from './verify-support.js';

const lines = makeStream({ transactions: 400, seed: 23 });

let parts: ReturnType<typeof temporaryEmbedded>;
let warehouse: Warehouse;
/** Rows that the archive believes it has stored. */
const lost: string[] = [];

beforeAll(async () => {
  parts = temporaryEmbedded();
  const pipeline = await startPipeline({ ...parts, patternStore: patternStoreOf(firstSet) });
  await pipeline.intake.accept(body(Object.values(exampleRecords).map((record) => JSON.stringify(record))));
  for (let at = 0; at < lines.length; at += 40) {
    // One is refused, one comes again.
    await pipeline.intake.accept(body([...lines.slice(at, at + 40), `{"id":"broken-${at}"}`, lines[at]!]));
  }
  await pipeline.drained();
  await pipeline.stop();
  warehouse = await openWarehouse(parts.directory);
}, 120_000);

afterAll(async () => {
  await warehouse.close();
  await parts.remove();
});

/** The last record of the first slice of hits is stored and forgotten. */
function forgetful(): Warehouse {
  return {
    ...warehouse,
    insert(table, rows, token) {
      if (table !== 'hits' || lost.length > 0) return warehouse.insert(table, rows, token);
      const whole = Buffer.from(rows).toString().trimEnd().split('\n');
      lost.push((JSON.parse(whole.pop()!) as { id: string }).id);
      return warehouse.insert(table, Buffer.from(whole.map((line) => `${line}\n`).join('')), token);
    },
  };
}

test('nothing is missing before anything was archived: all of it is pending', async () => {
  const report = await verifyStore(parts, { warehouse });
  expect(differencesOf(report)).toEqual({});
  expect(sumOf(report, 'archive', 'pending')).toBeGreaterThan(0);
  expect(sumOf(report, 'archive', 'equal')).toBe(0);
});

test('a row that the archive has not got, though it says so, is missing; all others are equal', async () => {
  const archive = await startArchive(parts, forgetful());
  await archive.drained();
  await archive.leave();
  const report = await verifyStore(parts, { warehouse });
  expect(differencesOf(report)).toEqual({ archive: { missing: 1, phantom: 0, different: 0 } });
  const [finding] = report.findings.filter(isDifferent);
  expect(finding).toMatchObject({ place: 'hits', differences: [{ kind: 'missing', id: lost[0], at: 'hits' }] });
  expect(finding!.equal).toBe(new Set((await hitsOn(parts.log)).map(({ id }) => id)).size - 1);
  const equal = (table: string) => report.findings.find(({ check, place }) => check === 'archive' && place === table)!.equal;
  expect(equal('transactions')).toBe(lines.length);
  expect(equal('references')).toBe(Object.keys(exampleRecords).length);
  expect(equal('rejected')).toBe(10);
  expect(equal('warnings')).toBeGreaterThan(5);
});

test('rows that no record led to, and rows that say something else, are found, a few ids at a time or all at once', async () => {
  const [row] = await warehouse.query<Record<string, unknown>>('SELECT * FROM transactions FINAL ORDER BY id LIMIT 1');
  const zoned = { ...row, time: zone(row!['time']), received_at: zone(row!['received_at']) };
  const raw = String(row!['raw']).replace(/"amountFen":\d+/, '"amountFen":1');
  const insert = (one: object) => warehouse.insert('transactions', Buffer.from(`${JSON.stringify(one)}\n`), crypto.randomUUID());
  await insert({ ...zoned, raw });
  await insert({ ...zoned, id: 'forged' });
  for (const heldMax of [1_000_000, 100]) {
    const report = await verifyStore(parts, { warehouse, settings: { quarantinedMax: 100, keepDays: 190, heldMax } });
    expect(differencesOf(report)).toEqual({ archive: { missing: 1, phantom: 1, different: 1 } });
    const [transactions] = report.findings.filter(({ check, place }) => check === 'archive' && place === 'transactions');
    expect(transactions!.equal).toBe(lines.length - 1);
    expect(transactions!.differences.map(({ kind, id }) => `${kind} ${id}`).sort()).toEqual([
      `different ${String(row!['id'])}`,
      'phantom forged',
    ]);
  }
});

test('what the archive has refused for good or dropped by its age is not comparable', async () => {
  const row = { id: 'refused', table_name: 'hits', code: '6', reason: 'cannot be parsed', row: JSON.stringify(await lostRow()) };
  await warehouse.insert('quarantined', Buffer.from(`${JSON.stringify(row)}\n`), crypto.randomUUID());
  const aside = await verifyStore(parts, { warehouse });
  expect(differencesOf(aside)).toEqual({ archive: { missing: 0, phantom: 1, different: 1 } });
  expect(sumOf(aside, 'archive', 'incomparable')).toBe(1);
  await warehouse.insert('quarantined', Buffer.from(`${JSON.stringify({ ...row, row: '{}' })}\n`), crypto.randomUUID());
  const young = await verifyStore(parts, { warehouse });
  expect(differencesOf(young)['archive']!.missing).toBe(1);
  const settings = { quarantinedMax: 100, keepDays: 190, ttlDays: { hits: 1 } };
  const old = await verifyStore(parts, { warehouse, settings, clock: { now: () => Date.parse('2126-07-05T00:00:00+08:00') } });
  expect(differencesOf(old)['archive']!.missing).toBe(0);
});

async function lostRow(): Promise<object> {
  for (let partition = 0; partition < 2; partition++) {
    for (const value of await valuesOn(parts.log, 'hits', partition)) {
      const row = eventRows('hits', value).find((one) => (one as { id: string }).id === lost[0]);
      if (row) return row;
    }
  }
  throw new Error('the lost hit is on the log');
}

function zone(time: unknown): string {
  return `${String(time).replace(' ', 'T')}+08:00`;
}
