import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { afterEach, describe, expect, test } from 'vitest';
import { calendarSchema } from '../../src/domain/calendar.js';
import type { Hit } from '../../src/domain/hit.js';
import { createFrameViews, type FrameViews } from '../../src/pipeline/frame-views.js';
import { createIntake } from '../../src/pipeline/intake.js';
import { journalHeadKey, journalSlot } from '../../src/pipeline/journal.js';
import { createPatternMeter } from '../../src/pipeline/pattern-meter.js';
import { memoriesHere, type OpenMemory } from '../../src/pipeline/score-memory.js';
import type { Score, ScoreOptions } from '../../src/pipeline/score.js';
import type { Log } from '../../src/ports/log.js';
import { createEngine } from '../../src/scoring/engine.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { hitsOn, temporaryDirectory, temporaryEmbedded, testPartitions } from '../support/embedded.js';
import { config } from '../support/huqi.js';
import { compileOrThrow, settledPatterns } from '../support/patterns.js';
import { distinctHits, drain, patternStoreOf, settledPatternSet } from '../support/pipeline.js';
import { body, makeStream } from '../support/stream.js';

/** Threads run what was built; faults are told by their classes, so the scorer is the built one as well. */
const built = (name: string): string => new URL(`../../dist/${name}.js`, import.meta.url).href;
const { createMemoryThreads } = (await import(built('memory-threads'))) as typeof import('../../src/pipeline/memory-threads.js');
const { createScore } = (await import(built('score'))) as typeof import('../../src/pipeline/score.js');

const calendar = calendarSchema.parse(parse(readFileSync(`${config}/catalogue/calendar.yaml`, 'utf8')));
const lines = makeStream({ transactions: 900, seed: 41 });
const partitions = { ...testPartitions, transactions: 4, hits: 2 };
const whole = settledPatternSet();
/** Without one pattern: another set, that keeps another state. */
const smaller = compileOrThrow(settledPatterns().filter(({ file }) => !file.startsWith('M01')));
/** With one pattern in shadow: another set, that keeps the same state. */
const shadowed = compileOrThrow(
  settledPatterns().map((source) => (source.file.startsWith('V01-') ? { ...source, state: 'shadow' as const } : source)),
);
const textsOf = new Map([
  [whole.id, settledPatterns()],
  [smaller.id, settledPatterns().filter(({ file }) => !file.startsWith('M01'))],
  [
    shadowed.id,
    settledPatterns().map((source) => (source.file.startsWith('V01-') ? { ...source, state: 'shadow' as const } : source)),
  ],
]);

type Parts = ReturnType<typeof temporaryEmbedded>;
type Threads = ReturnType<typeof createMemoryThreads>;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function temporary(): Parts {
  const parts = temporaryEmbedded(partitions);
  closers.push(() => parts.remove());
  return parts;
}

function startThreads(threads: number, more: { frameViews?: FrameViews; script?: URL } = {}): Threads {
  const sourcesOf = (id: string) => Promise.resolve(textsOf.has(id) ? { sources: textsOf.get(id)! } : null);
  const started = createMemoryThreads({ threads, calendar, sourcesOf, ...more });
  closers.push(() => started.close());
  return started;
}

async function send(to: Parts, from: number, upTo: number, frameViews?: FrameViews): Promise<void> {
  const clock = { now: () => Date.parse('2026-07-02T00:00:00+08:00') };
  const intake = createIntake({ ...to, clock, newId: randomUUID, ...(frameViews ? { frameViews } : {}) });
  for (let at = from; at < upTo; at += 30) await intake.accept(body(lines.slice(at, Math.min(at + 30, upTo))));
  await intake.settled();
}

interface Start {
  readonly patternStore?: ReturnType<typeof patternStoreOf>;
  readonly settings?: ScoreOptions<PatternSet>['settings'];
  readonly telemetry?: ScoreOptions<PatternSet>['telemetry'];
}

async function open(on: Parts, openMemory: OpenMemory<PatternSet>, start: Start = {}): Promise<Score> {
  const { patternStore = patternStoreOf(whole), settings, telemetry } = start;
  const score = await createScore<PatternSet>({
    log: on.log,
    state: on.state,
    patternStore,
    openMemory,
    clock: Date,
    newId: randomUUID,
    settings: { pollMs: 0, limit: { recordsMax: 3, bytesMax: 2 ** 20 }, ...settings },
    ...(telemetry ? { telemetry } : {}),
  });
  closers.push(() => score.leave());
  return score;
}

/** Where what partitions tell one another comes on the log is chance, and with it the numbers of frames: the hits are the same. */
async function hitsOf({ log }: Parts): Promise<ReadonlyMap<string, unknown>> {
  return distinctHits((await hitsOn(log)).map(({ data }) => data as Hit));
}

const here = memoriesHere<PatternSet>({ createEngine, clock: Date });

async function hitsOfHere(): Promise<ReadonlyMap<string, unknown>> {
  const parts = temporary();
  await send(parts, 0, lines.length);
  await drain(await open(parts, here));
  const hits = await hitsOf(parts);
  expect(hits.size).toBeGreaterThan(50);
  return hits;
}

describe('partitions that are scored on other threads', () => {
  test.each([1, 3])('lead to the hits of this thread, with %i of them', async (threads) => {
    const expected = await hitsOfHere();
    const parts = temporary();
    await send(parts, 0, lines.length);
    await drain(await open(parts, startThreads(threads).openMemory));
    expect(await hitsOf(parts)).toEqual(expected);
  });

  test('need not read again what intake has read', async () => {
    const expected = await hitsOfHere();
    const kept = createFrameViews(64 * 2 ** 20);
    let taken = 0;
    const frameViews: FrameViews = {
      ...kept,
      take(name) {
        const known = kept.take(name);
        taken += known?.rows.filter((row) => row >= 0).length ?? 0;
        return known;
      },
    };
    const parts = temporary();
    await send(parts, 0, lines.length, frameViews);
    await drain(await open(parts, startThreads(2, { frameViews }).openMemory));
    expect(taken).toBeGreaterThan(lines.length);
    expect(await hitsOf(parts)).toEqual(expected);
  });

  test('take a change of patterns over, and build a state anew where the change needs one', async () => {
    const run = async (openMemory: OpenMemory<PatternSet>) => {
      const parts = temporary();
      const how: string[] = [];
      const patternStore = patternStoreOf(whole, shadowed, smaller);
      const telemetry = { ...silent, patternSetTaken: (fact: { how: string }) => void how.push(fact.how) };
      const score = await open(parts, openMemory, { patternStore, telemetry });
      for (const [i, set] of [whole, shadowed, smaller].entries()) {
        patternStore.current = set.id;
        await send(parts, i * 300, (i + 1) * 300);
        await drain(score);
        expect(score.patternSets()).toEqual([set.id]);
      }
      expect(how.toSorted()).toEqual([...Array<string>(4).fill('adopted'), ...Array<string>(4).fill('rebuilt')]);
      return hitsOf(parts);
    };
    expect(await run(startThreads(2).openMemory)).toEqual(await run(here));
  });

  test('are stored and restored, whichever thread does it', async () => {
    const expected = await hitsOfHere();
    const parts = temporary();
    const always = { snapshotEveryMs: 1, snapshotWorthMs: 0, snapshotShareMax: Infinity };
    const runs: { taken: number[]; restored: number[]; read: number[] }[] = [];
    const stages = [startThreads(3).openMemory, here, startThreads(1).openMemory];
    for (const [i, openMemory] of stages.entries()) {
      const told: (typeof runs)[number] = { taken: [], restored: [], read: [] };
      runs.push(told);
      const telemetry = {
        ...silent,
        snapshotTaken: ({ position }: { position: number }) => void told.taken.push(position),
        snapshotRestored: ({ position }: { position: number }) => void told.restored.push(position),
        partitionRecovered: ({ transactions }: { transactions: number }) => void told.read.push(transactions),
      };
      const score = await open(parts, openMemory, { settings: always, telemetry });
      await send(parts, i * 300, (i + 1) * 300);
      await drain(score);
      await score.leave();
    }
    for (const [i, { taken, restored, read }] of runs.entries()) {
      expect(taken.length).toBeGreaterThanOrEqual(4);
      expect(restored).toHaveLength(i === 0 ? 0 : 4);
      expect(read).toEqual(i === 0 ? [] : [0, 0, 0, 0]);
    }
    expect(await hitsOf(parts)).toEqual(expected);
  });

  test('leave nothing on their thread, however often a partition has to be opened', async () => {
    const { openMemory } = startThreads(1);
    const counts = { opened: 0, closed: 0 };
    const counting: OpenMemory<PatternSet> = async (set, place) => {
      const memory = await openMemory(set, place);
      counts.opened++;
      // Its prototype is the memory itself: whatever else is asked goes there.
      return Object.create(memory, {
        close: {
          value: () => {
            counts.closed++;
            memory.close();
          },
        },
      }) as typeof memory;
    };
    const parts = temporary();
    await send(parts, 0, 300);
    const first = await open(parts, counting);
    await drain(first);
    await first.leave();
    expect(counts).toEqual({ opened: 4, closed: 4 });

    let faults = 6;
    const log: Log = {
      ...parts.log,
      read: (...args) =>
        --faults >= 0 ? Promise.reject(Object.assign(new Error('away'), { retriable: true })) : parts.log.read(...args),
    };
    await send(parts, 300, 600);
    const second = await open({ ...parts, log }, counting);
    await drain(second);
    await second.leave();
    expect(faults).toBeLessThan(0);
    expect(counts.opened).toBeGreaterThan(12);
    expect(counts.closed).toBe(counts.opened);
  });

  test('are metered together', async () => {
    const meter = createPatternMeter();
    const threads = startThreads(3);
    for (const openMemory of [threads.openMemory, memoriesHere({ createEngine: meter.metering(createEngine), clock: Date })]) {
      const parts = temporary();
      await send(parts, 0, lines.length);
      await drain(await open(parts, openMemory));
    }
    const [beside, here] = await Promise.all([threads.read(), meter.read()]);
    const countsOf = ({ patterns }: typeof here) =>
      patterns
        .map(({ id, version, hits, asked, faults, nearMisses }) => ({ id, version, hits, asked, faults, nearMisses }))
        .toSorted((one, other) => (one.id < other.id ? -1 : 1));
    expect(beside.scored).toBe(here.scored);
    expect(beside.seen).toEqual(here.seen);
    expect(here.patterns.reduce((sum, { hits }) => sum + hits, 0)).toBeGreaterThan(50);
    expect(countsOf(beside)).toEqual(countsOf(here));
  });
});

test('each partition goes to the thread that has fewest, whatever their numbers are', async () => {
  // Of two processes one may own the even partitions: a third one on the same thread ends it.
  const script = scriptOf(`
    let open = 0;
    parentPort.on('message', ({ number, call }) => {
      if (call === 'open' && ++open > 2) process.exit(3);
      if (call === 'close') open--;
      parentPort.postMessage({ number, value: null });
    });
  `);
  const { openMemory } = startThreads(2, { script });
  const place = { partitions: 8, hitPartitions: 2, rejectedPartitions: 1, quarantinedMax: 5 };
  const opened = await Promise.all([0, 2, 4, 6].map((partition) => openMemory(whole, { ...place, partition })));
  opened[1]!.close();
  await openMemory(whole, { ...place, partition: 4 });
});

describe('where a thread fails', () => {
  test('on a batch, the partition is built anew and the batch taken one by one, on that thread', async () => {
    const expected = await hitsOfHere();
    const parts = temporary();
    await send(parts, 0, lines.length);
    // Every batch fails the first time.
    const script = scriptOf(`
      const fault = { name: 'Error', message: 'scoring failed on a batch', stack: undefined, isOfBatch: true };
      let failed = 0;
      const on = parentPort.on.bind(parentPort);
      parentPort.on = (event, take) => on(event, (order) => {
        if (order.call !== 'score' || order.ask.how.oneByOne) return take(order);
        failed++;
        parentPort.postMessage({ number: order.number, fault });
      });
      await import(${JSON.stringify(built('memory-worker'))});
    `);
    await drain(await open(parts, startThreads(1, { script }).openMemory));
    expect(await hitsOf(parts)).toEqual(expected);
  });

  test('with a damaged log, the scorer stops, says which record, and goes no further', async () => {
    const parts = temporary();
    await parts.log.append([{ topic: 'transactions', partition: 2, value: Buffer.from('no frame') }]);
    const score = await open(parts, startThreads(2).openMemory);
    await expect(score.done).rejects.toThrow(/^transactions\/2: the record at offset 0 is damaged/);
    await expect(score.done).rejects.toMatchObject({ name: 'LogDamaged', retriable: false });
    const [head] = await parts.state.get(journalSlot(2), [journalHeadKey]);
    expect(JSON.parse(Buffer.from(head!).toString())).toMatchObject({ sequence: 0, upTo: 0 });
  });

  test('and ends, the scorer stops, and nothing that it had in hand counts as scored', async () => {
    const parts = temporary();
    await send(parts, 0, lines.length);
    const script = scriptOf(`
      parentPort.on('message', ({ number, call }) => {
        if (call === 'score') process.exit(3);
        parentPort.postMessage({ number, value: null });
      });
    `);
    const score = await open(parts, startThreads(2, { script }).openMemory);
    await expect(score.done).rejects.toThrow('a thread that scores has ended; the process must be started again');
    expect((await hitsOf(parts)).size).toBe(0);
    for (let partition = 0; partition < partitions.transactions; partition++) {
      const [head] = await parts.state.get(journalSlot(partition), [journalHeadKey]);
      expect(JSON.parse(Buffer.from(head!).toString())).toMatchObject({ sequence: 0, upTo: 0 });
    }
  });

  test('over a set whose texts are not there, or do not compile, it says so', async () => {
    const place = { partition: 0, partitions: 4, hitPartitions: 2, rejectedPartitions: 1, quarantinedMax: 5 };
    const { openMemory } = startThreads(1);
    await expect(openMemory({ ...whole, id: 'gone' }, place)).rejects.toThrow('there is no pattern set gone');
    textsOf.set('broken', [{ file: 'X01.yaml', text: 'id: X01\nwhen: [' }]);
    await expect(openMemory({ ...whole, id: 'broken' }, place)).rejects.toThrow(/X01\.yaml:\d+:\d+/);
  });
});

const ignored = (): void => undefined;
const silent: NonNullable<ScoreOptions<PatternSet>['telemetry']> = {
  batchScored: ignored,
  othersTaken: ignored,
  hitFound: ignored,
  transactionRejected: ignored,
  patternSetTaken: ignored,
  partitionRecovered: ignored,
  patternSetWaits: ignored,
  snapshotTaken: ignored,
  snapshotRestored: ignored,
  snapshotUnusable: ignored,
  snapshotFailed: ignored,
};

function scriptOf(code: string): URL {
  const directory = temporaryDirectory();
  closers.push(() => Promise.resolve(rmSync(directory, { recursive: true })));
  const file = join(directory, 'worker.mjs');
  writeFileSync(file, `import { parentPort } from 'node:worker_threads';\n${code}`);
  return pathToFileURL(file);
}
