import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { archiveLag, archiveSlot } from '../../src/pipeline/archive-positions.js';
import { openOwnedSlot } from '../../src/pipeline/owned-slot.js';
import { doneUpTo, neededFrom, scoreLag } from '../../src/pipeline/positions.js';
import { retain } from '../../src/pipeline/retention.js';
import { archivedTopics, topics, type ArchivedTopic, type Log } from '../../src/ports/log.js';
import { z } from 'zod';
import { temporaryEmbedded } from '../support/embedded.js';
import { startPipeline, type Pipeline } from '../support/pipeline.js';
import { body, makeStream } from '../support/stream.js';

const dayMs = 86_400_000;
const startMs = Date.parse('2026-07-03T00:00:00+08:00');
const settings = { retentionMs: 10 * dayMs, incomingRetentionMs: 2 * dayMs, trimEveryMs: 1 };
const lines = makeStream({ transactions: 400, seed: 8 });

let parts: ReturnType<typeof temporaryEmbedded>;
let pipeline: Pipeline;
let nowMs: number;

beforeEach(async () => {
  parts = temporaryEmbedded();
  nowMs = startMs;
  pipeline = await startPipeline({ ...parts, clock: { now: () => nowMs } });
});
afterEach(async () => {
  await pipeline.stop();
  await parts.remove();
});

const round = () => retain({ ...parts, settings, clock: { now: () => nowMs }, telemetry: { retentionFailed: () => undefined } });

/** Rounds once an hour, as the platform makes them, for so many days. */
async function pass(days: number): Promise<void> {
  for (let hour = 0; hour < days * 24; hour++) {
    nowMs += dayMs / 24;
    await round();
  }
}

test('what is old, archived and done leaves the log; what is younger, or somebody still needs, stays', async () => {
  await send(lines.slice(0, 200));
  await round();
  const ends = await endsOf(parts.log);
  await pass(5);
  await send(lines.slice(200));
  await archiveAll();
  await pass(4);
  expect(await firsts()).toEqual(zeros());
  await pass(2);
  // Eleven days: the first half is old. What scoring reads again when it starts stays.
  for (let partition = 0; partition < parts.log.partitions('transactions'); partition++) {
    const { first } = await parts.log.bounds('transactions', partition);
    expect(first).toBe(ends.get(`transactions/${partition}`));
    expect(first).toBeLessThanOrEqual((await doneUpTo(parts.state, 'transactions', partition))!);
  }
  expect(await scoreLag(parts)).toBe(0);
  await pipeline.stop();
  pipeline = await startPipeline({ ...parts, clock: { now: () => nowMs } });
  await pipeline.drained();
});

test('nothing leaves that is not archived, however old', async () => {
  await send(lines);
  await round();
  await pass(20);
  expect(await firsts()).toEqual(zeros());
  expect(await archiveLag(parts)).toBeGreaterThan(0);
});

test('nothing leaves that is not scored, warned of and dispatched, though it is archived', async () => {
  await send(lines);
  await pipeline.stop();
  const commands = { topic: 'commands', partition: 0, value: Buffer.from('{"producer":"p","sequence":0,"events":[]}') } as const;
  await parts.log.append([commands]);
  await archiveAll();
  await round();
  await pass(20);
  // Nobody dispatches here, and nobody has handed the command on.
  expect((await parts.log.bounds('warnings', 0)).first).toBe(0);
  expect((await parts.log.bounds('commands', 0)).first).toBe(0);
  expect(await neededFrom(parts.state, 'warnings', 0)).toBe(0);
  expect((await parts.log.bounds('hits', 0)).first).toBeGreaterThan(0);
});

test('what banks have written leaves after its own time, once it is taken in', async () => {
  const record = { topic: 'incoming', partition: 0, value: Buffer.from('{}') } as const;
  await parts.log.append([record, record]);
  await round();
  await pass(3);
  expect((await parts.log.bounds('incoming', 0)).first).toBe(0);
  const slot = await openOwnedSlot({
    ...parts,
    slot: 'incoming/0',
    newId: randomUUID,
    head: z.object({ next: z.int().nullable() }),
    initial: { next: null },
  });
  await slot.commit({ head: { next: 1 } });
  await slot.close();
  await pass(1);
  expect(await parts.log.bounds('incoming', 0)).toEqual({ first: 1, next: 2 });
});

async function send(part: readonly string[]): Promise<void> {
  for (let at = 0; at < part.length; at += 20) await pipeline.intake.accept(body(part.slice(at, at + 20)));
  await pipeline.drained();
}

/** Notes everything as archived, as the archive does when it has stored it. */
async function archiveAll(): Promise<void> {
  for (const [name, end] of await endsOf(parts.log)) {
    const [topic, partition] = name.split('/') as [ArchivedTopic, string];
    if (!archivedTopics.includes(topic)) continue;
    const slot = await openOwnedSlot({
      ...parts,
      slot: archiveSlot(topic, Number(partition)),
      newId: randomUUID,
      head: z.object({ position: z.int().nullable(), open: z.null() }),
      initial: { position: null, open: null },
    });
    await slot.commit({ head: { position: end } });
    await slot.close();
  }
}

async function endsOf(log: Log): Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  for (const topic of topics)
    for (let p = 0; p < log.partitions(topic); p++) ends.set(`${topic}/${p}`, (await log.bounds(topic, p)).next);
  return ends;
}

async function firsts(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const topic of topics)
    for (let p = 0; p < parts.log.partitions(topic); p++) found[`${topic}/${p}`] = (await parts.log.bounds(topic, p)).first;
  return found;
}

function zeros(): Record<string, number> {
  const names = topics.flatMap((topic) => Array.from({ length: parts.log.partitions(topic) }, (_, p) => `${topic}/${p}`));
  return Object.fromEntries(names.map((name) => [name, 0]));
}
