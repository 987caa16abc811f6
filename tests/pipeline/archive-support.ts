import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openChdbWarehouse } from '../../src/adapters/warehouse/chdb.js';
import type { Event } from '../../src/domain/event.js';
import { frameFlag, readFrame, role } from '../../src/domain/frame.js';
import type { Warning } from '../../src/domain/warning.js';
import { createArchive, type Archive } from '../../src/pipeline/archive.js';
import type { ArchiveSettings } from '../../src/pipeline/archive-partition.js';
import type { Log } from '../../src/ports/log.js';
import type { Warehouse } from '../../src/ports/warehouse.js';
import type { Channel } from '../../src/ports/channel.js';
import type { Telemetry } from '../../src/telemetry/telemetry.js';
import { eventsOn, hitsOn, valuesOn, type EmbeddedParts } from '../support/embedded.js';
import { startPipeline } from '../support/pipeline.js';
import { exampleRecords } from '../support/references.js';
import { body, makeStream } from '../support/stream.js';
import { quiet, recipientsIn, startDispatch, until } from './dispatch-support.js';

/** Small slices, so that a few thousand records make many of them. */
export const smallSlices: ArchiveSettings = {
  sliceBytesMax: 64 * 1024,
  sliceRecordsMax: 8,
  lingerMs: 30,
  insertsMax: 2,
  retryMsMin: 10,
  retryMsMax: 40,
};

export async function openWarehouse(directory: string): Promise<Warehouse> {
  const warehouse = await openChdbWarehouse({ directory: join(directory, 'warehouse') });
  await warehouse.migrate();
  return warehouse;
}

export function startArchive(
  parts: Pick<EmbeddedParts, 'log' | 'state'>,
  warehouse: Warehouse,
  settings: Partial<ArchiveSettings> = {},
  others: { readonly clock?: { now(): number }; readonly isBusy?: () => boolean; readonly telemetry?: Telemetry } = {},
): Promise<Archive> {
  return createArchive({
    log: parts.log,
    state: parts.state,
    warehouse,
    settings: { ...smallSlices, ...settings },
    clock: Date,
    newId: randomUUID,
    telemetry: quiet(),
    ...others,
  });
}

/** A bank's stream through the real flow: transactions, refusals, hits, warnings, deliveries and commands on the log. */
export async function fillLog(parts: EmbeddedParts, transactions: number): Promise<void> {
  await recipientsIn(parts).put('centre', {
    kind: 'centre',
    match: '*',
    name: 'centre',
    webhook: { url: 'https://receiver.example' },
  });
  const channel: Channel = {
    name: 'webhook',
    deliver: () => Promise.resolve({ kind: 'delivered', status: 200, acknowledged: true }),
  };
  const pipeline = await startPipeline(parts);
  const dispatch = await startDispatch(parts, { channels: [channel] });
  const lines = makeStream({ transactions, seed: 11 });
  for (let at = 0; at < lines.length; at += 50) {
    const records = Object.values(exampleRecords).map((record) => JSON.stringify({ ...record, id: `${record.id}-${at}` }));
    await pipeline.intake.accept(body([...records, ...lines.slice(at, at + 50), `{"id":"broken-${at}"}`, lines[at] ?? '']));
  }
  await pipeline.drained();
  await until(
    async () => dispatch.pending() + (await dispatch.lag()),
    (left) => left === 0,
  );
  await pipeline.drained();
  await dispatch.leave();
  await pipeline.stop();
}

/** Ids by table, sorted, repeats left in, so that a row that stands twice shows. */
export interface Contents {
  readonly transactions: readonly string[];
  readonly references: readonly string[];
  readonly rejected: readonly string[];
  readonly hits: readonly string[];
  readonly warnings: readonly string[];
  readonly deliveries: readonly string[];
  readonly events: readonly string[];
}

/** What the log holds, each thing once. */
export async function contentsOfLog(log: Log): Promise<Contents> {
  const transactions = new Set<string>();
  const references = new Set<string>();
  for (let p = 0; p < log.partitions('transactions'); p++) {
    for (const value of await valuesOn(log, 'transactions', p)) {
      for (const { roles, flags, start, end } of readFrame(value)) {
        const text = Buffer.from(value.subarray(start, end)).toString();
        if (roles === role.reference && (flags & frameFlag.home) !== 0) references.add(text);
        if ((roles & role.debit) === 0) continue;
        const { id, amountFen } = JSON.parse(text) as {
          id: string;
          amountFen: number;
        };
        transactions.add(`${id} ${amountFen}`);
      }
    }
  }
  const idsOn = async (...topics: Parameters<typeof eventsOn>[1][]) => {
    const events = (await Promise.all(topics.map((topic) => eventsOn(log, topic)))).flat();
    return distinct(events.map((event) => event.id));
  };
  return {
    transactions: distinct([...transactions]),
    references: distinct([...references]),
    rejected: await idsOn('rejected'),
    hits: distinct((await hitsOn(log)).map(({ id }) => id)),
    warnings: latest(await eventsOn(log, 'warnings')),
    deliveries: await idsOn('deliveries'),
    events: await idsOn('legs', 'commands', 'events', 'controls'),
  };
}

/** What the warehouse holds. */
export async function contentsOfWarehouse(warehouse: Warehouse): Promise<Contents> {
  const rows = async (what: string, table: string) =>
    (await warehouse.query<{ text: string }>(`SELECT ${what} AS text FROM ${table} FINAL`)).map(({ text }) => text).sort();
  return {
    transactions: await rows(`concat(id, ' ', toString(amount_fen))`, 'transactions'),
    references: await rows('body', 'references'),
    rejected: await rows('id', 'rejected'),
    hits: await rows('id', 'hits'),
    warnings: await rows(`concat(id, '#', toString(revision))`, 'warnings'),
    deliveries: await rows('id', 'deliveries'),
    events: await rows('id', 'events'),
  };
}

function latest(events: readonly Event[]): string[] {
  const revisions = new Map<string, number>();
  for (const { data } of events) {
    const { id, revision } = data as Warning;
    revisions.set(id, Math.max(revision, revisions.get(id) ?? 0));
  }
  return [...revisions].map(([id, revision]) => `${id}#${revision}`).sort();
}

function distinct(ids: readonly string[]): string[] {
  return [...new Set(ids)].sort();
}
