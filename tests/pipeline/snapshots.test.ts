import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Hit } from '../../src/domain/hit.js';
import { createIntake } from '../../src/pipeline/intake.js';
import { memoriesHere } from '../../src/pipeline/score-memory.js';
import { createScore, type Score, type ScoreOptions } from '../../src/pipeline/score.js';
import { snapshotSlot } from '../../src/pipeline/snapshot-store.js';
import type { Log } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import { createEngine } from '../../src/scoring/engine.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { openEmbedded, temporaryDirectory, temporaryEmbedded, testPartitions } from '../support/embedded.js';
import { compileOrThrow, settledPatterns } from '../support/patterns.js';
import { distinctHits, patternStoreOf, settledPatternSet } from '../support/pipeline.js';
import { body, makeStream } from '../support/stream.js';
import { hitsOn } from '../support/embedded.js';
import { rmSync } from 'node:fs';

const lines = makeStream({ transactions: 900, seed: 23 });
const partitions = { ...testPartitions, transactions: 2, hits: 1 };
const whole = settledPatternSet();
/** Without one pattern: another set that keeps another state. */
const smaller = compileOrThrow(settledPatterns().filter(({ file }) => !file.startsWith('M01')));
/** As often as there is something to store. */
const always = { snapshotEveryMs: 1, snapshotWorthMs: 0, snapshotShareMax: Infinity };
const limit = { recordsMax: 1, bytesMax: 2 ** 20 };

type Parts = { readonly log: Log; readonly state: State };
const opened: { remove(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.remove();
});

function temporary(): ReturnType<typeof temporaryEmbedded> {
  const parts = temporaryEmbedded(partitions);
  opened.push(parts);
  return parts;
}

/** What a scorer tells of its snapshots. */
interface Told {
  readonly taken: number[];
  readonly restored: number[];
  readonly unusable: string[];
  readonly failed: unknown[];
  /** Transactions that a partition read again before it was ready. */
  readonly read: number[];
}

interface Running {
  readonly score: Score;
  readonly told: Told;
}

async function start(
  on: Parts,
  { settings = always, patternStore = patternStoreOf(whole) }: Partial<Start> = {},
): Promise<Running> {
  const told: Told = { taken: [], restored: [], unusable: [], failed: [], read: [] };
  const ignored = (): void => undefined;
  const score = await createScore<PatternSet>({
    log: on.log,
    state: on.state,
    patternStore,
    openMemory: memoriesHere({ createEngine, clock: Date }),
    clock: Date,
    newId: randomUUID,
    settings: { pollMs: 0, limit, ...settings },
    telemetry: {
      batchScored: ignored,
      othersTaken: ignored,
      hitFound: ignored,
      transactionRejected: ignored,
      patternSetTaken: ignored,
      partitionRecovered: ({ transactions }) => void told.read.push(transactions),
      patternSetWaits: ignored,
      snapshotTaken: ({ position }) => void told.taken.push(position),
      snapshotRestored: ({ position }) => void told.restored.push(position),
      snapshotUnusable: ({ reason }) => void told.unusable.push(reason),
      snapshotFailed: ({ error }) => void told.failed.push(error),
    },
  });
  return { score, told };
}

interface Start {
  readonly settings: NonNullable<ScoreOptions<PatternSet>['settings']>;
  readonly patternStore: ReturnType<typeof patternStoreOf>;
}

async function send(to: Parts, from: number, upTo: number): Promise<void> {
  const intake = createIntake({ ...to, clock: { now: () => Date.parse('2026-07-02T00:00:00+08:00') }, newId: randomUUID });
  for (let at = from; at < upTo; at += 30) await intake.accept(body(lines.slice(at, Math.min(at + 30, upTo))));
  await intake.settled();
}

async function drained({ score }: Running): Promise<void> {
  const failed = score.done.then(() => {
    throw new Error('the scorer has left');
  });
  failed.catch(() => undefined);
  while ((await Promise.race([score.lag(), failed])) > 0) await wait(2);
}

const hitsOf = async ({ log }: Parts): Promise<ReadonlyMap<string, unknown>> =>
  distinctHits((await hitsOn(log)).map(({ data }) => data as Hit));

/** Of a run that knows no snapshots. */
async function quietHits(set = whole): Promise<ReadonlyMap<string, unknown>> {
  const parts = temporary();
  await send(parts, 0, lines.length);
  const running = await start(parts, { settings: { snapshotEveryMs: 0 }, patternStore: patternStoreOf(set) });
  await drained(running);
  await running.score.leave();
  expect(running.told).toEqual({ taken: [], restored: [], unusable: [], failed: [], read: [] });
  return hitsOf(parts);
}

async function untilTaken({ told }: Running, count: number): Promise<void> {
  while (told.taken.length < count) await wait(5);
}

describe('a start with a snapshot', () => {
  test('reads only what stands behind it, in another process on another day, and gives the hits of a run without', async () => {
    const directory = temporaryDirectory();
    opened.push({ remove: async () => rmSync(directory, { recursive: true, force: true }) });
    const first = openEmbedded(directory, partitions);
    await send(first, 0, 600);
    const before = await start(first);
    await drained(before);
    await before.score.leave();
    expect(before.told.taken.length).toBeGreaterThanOrEqual(2);
    expect(before.told.failed).toEqual([]);
    await first.close();

    // All that goes on is what the store and the log hold.
    const second = openEmbedded(directory, partitions);
    const after = await start(second);
    await drained(after);
    await send(second, 600, lines.length);
    await drained(after);
    await after.score.leave();
    expect(after.told.restored).toHaveLength(2);
    expect(after.told.read).toEqual([0, 0]);
    expect(Math.min(...after.told.restored)).toBeGreaterThan(0);
    const hits = await hitsOf(second);
    await second.close();
    const quiet = await quietHits();
    expect(quiet.size).toBeGreaterThan(50);
    expect(hits).toEqual(quiet);
  });

  test('takes none while a restart would be quick without, and none more often than it is worth', async () => {
    const parts = temporary();
    await send(parts, 0, 300);
    const idle = await start(parts, { settings: { ...always, snapshotWorthMs: 3_600_000 } });
    await drained(idle);
    await idle.score.leave();
    expect(idle.told.taken).toEqual([]);
    const seldom = await start(parts, { settings: { ...always, snapshotEveryMs: 3_600_000 } });
    await send(parts, 300, lines.length);
    await drained(seldom);
    await untilTaken(seldom, 2);
    expect(seldom.told.taken).toHaveLength(2);
    await seldom.score.leave();
    expect(seldom.told.taken.length).toBeLessThanOrEqual(4);
  });

  test('one that falls due while nothing comes in is taken all the same', async () => {
    const parts = temporary();
    const quiet = await start(parts, { settings: { ...always, snapshotEveryMs: 2_000 } });
    await send(parts, 0, 30);
    await drained(quiet);
    await untilTaken(quiet, 2);
    await send(parts, 30, 300);
    await drained(quiet);
    const { next } = await parts.log.bounds('transactions', 0);
    expect(quiet.told.taken).not.toContain(next);
    await expect.poll(() => quiet.told.taken, { timeout: 15_000 }).toContain(next);
    await quiet.score.leave();
  }, 30_000);

  test('after a change to a set that keeps another state, the next snapshot is of that one', async () => {
    const parts = temporary();
    const patternStore = patternStoreOf(smaller, whole);
    await send(parts, 0, 300);
    const running = await start(parts, { patternStore });
    await drained(running);
    patternStore.current = whole.id;
    await send(parts, 300, 600);
    await drained(running);
    expect(running.told.unusable.every((reason) => reason === 'the pattern set keeps another state')).toBe(true);
    await running.score.leave();
    const again = await start(parts, { patternStore });
    expect(again.told).toMatchObject({ unusable: [] });
    await drained(again);
    expect(again.told.restored).toHaveLength(2);
    await again.score.leave();
  });
});

describe('a snapshot that is of no use costs time and nothing else', () => {
  async function withSnapshots(): Promise<Parts> {
    const parts = temporary();
    await send(parts, 0, 600);
    const running = await start(parts);
    await drained(running);
    await running.score.leave();
    await send(parts, 600, lines.length);
    return parts;
  }

  async function result(parts: Parts, patternStore = patternStoreOf(whole)): Promise<{ hits: unknown; told: Told }> {
    const running = await start(parts, { settings: { ...always, snapshotWorthMs: 3_600_000 }, patternStore });
    await drained(running);
    await running.score.leave();
    return { hits: await hitsOf(parts), told: running.told };
  }

  async function change(state: State, key: (all: readonly string[]) => string, edit: (value: Uint8Array) => Uint8Array | null) {
    const slot = snapshotSlot(0);
    const entries = await state.scan(slot, { prefix: '', limit: 1_000 });
    const chosen = key(entries.map((entry) => entry.key));
    const value = edit(entries.find((entry) => entry.key === chosen)!.value);
    await state.commit(slot, value ? { put: [{ key: chosen, value }] } : { delete: [chosen] });
  }

  const aChunk = (all: readonly string[]): string => all.find((key) => key.startsWith('chunk/'))!;
  const editedHead = (edit: (current: Record<string, unknown>) => object) => (value: Uint8Array) => {
    const head = JSON.parse(Buffer.from(value).toString()) as { current: Record<string, unknown> };
    return Buffer.from(JSON.stringify({ ...head, current: { ...head.current, ...edit(head.current) } }));
  };
  const flipped = (value: Uint8Array): Uint8Array => {
    const bytes = Uint8Array.from(value);
    bytes[bytes.length >>> 1]! ^= 1;
    return bytes;
  };

  const cases: [string, (state: State) => Promise<void>, RegExp][] = [
    ['one bit of a chunk is another', (state) => change(state, aChunk, flipped), /chunk 0 is not what was stored/],
    ['a chunk is missing', (state) => change(state, aChunk, () => null), /chunk 0 is missing/],
    [
      'another release wrote it',
      (state) =>
        change(
          state,
          () => 'head',
          editedHead(() => ({ format: '0-XX' })),
        ),
      /format is 0-XX/,
    ],
    [
      'it is of another number of partitions',
      (state) =>
        change(
          state,
          () => 'head',
          editedHead(() => ({ partitions: 7 })),
        ),
      /one of 7 partitions, there are 2/,
    ],
    [
      'it goes further than the journal',
      (state) =>
        change(
          state,
          () => 'head',
          editedHead(({ position }) => ({ position: Number(position) + 1 })),
        ),
      /the journal at/,
    ],
    [
      'nobody can read its head',
      (state) =>
        change(
          state,
          () => 'head',
          () => Buffer.from('{"x":'),
        ),
      /^$/,
    ],
  ];
  for (const [what, damage, reason] of cases) {
    test(what, async () => {
      const parts = await withSnapshots();
      await damage(parts.state);
      const { hits, told } = await result(parts);
      expect(hits).toEqual(await quietHits());
      expect(told.restored).toHaveLength(1);
      // One whose head cannot be read is as good as none.
      expect(told.unusable.join()).toMatch(reason);
      expect(told.unusable.length).toBe(reason.source === '^$' ? 0 : 1);
    });
  }

  test('it is of a state that the set in force does not keep', async () => {
    const parts = temporary();
    await send(parts, 0, 600);
    const running = await start(parts, { patternStore: patternStoreOf(smaller) });
    await drained(running);
    await running.score.leave();
    await send(parts, 600, lines.length);
    const patternStore = patternStoreOf(smaller, whole);
    patternStore.current = whole.id;
    const { told } = await result(parts, patternStore);
    // The last batch was of the first set, what came then is of the second.
    expect(told.restored).toHaveLength(2);
    expect(told.unusable).toEqual(Array(2).fill('the pattern set keeps another state'));
  });
});

describe('whatever write of a snapshot a crash cuts off', () => {
  test('the hits are those of a quiet run, and nothing is left behind', async () => {
    const quiet = await quietHits();
    const { writes } = await crashed(null);
    expect(writes).toBeGreaterThan(12);
    let restored = 0;
    for (let number = 0; number < Math.min(writes, 12); number++) {
      for (const mode of ['before', 'after'] as const) {
        const outcome = await crashed({ number, mode });
        expect(outcome.hits, `${mode} ${number}`).toEqual(quiet);
        expect(outcome.keys, `${mode} ${number}`).toBe('the chunks of the snapshot that counts');
        restored += outcome.restored;
      }
    }
    expect(restored).toBeGreaterThan(10);
  }, 300_000);

  /** One scorer dies at a write of its snapshots, another one goes on. */
  async function crashed(fault: { number: number; mode: 'before' | 'after' } | null) {
    const parts = temporary();
    let writes = 0;
    const process = { isDead: false };
    const dying = <T>(write: () => Promise<T>, isSnapshot: boolean): Promise<T> => {
      if (process.isDead) return Promise.reject(new Error('the process is dead'));
      const isNow = isSnapshot && fault?.number === writes;
      if (isSnapshot) writes++;
      if (!isNow) return write();
      process.isDead = true;
      return (fault.mode === 'after' ? write() : Promise.resolve()).then(() => Promise.reject(new Error('the process dies')));
    };
    await send(parts, 0, 600);
    const first = await start({
      log: { ...parts.log, append: (records) => dying(() => parts.log.append(records), false) },
      state: {
        ...parts.state,
        commit: (slot, made) => dying(() => parts.state.commit(slot, made), slot.startsWith('snapshot/')),
      },
    });
    first.score.done.catch(() => undefined);
    while (!process.isDead && (await first.score.lag()) > 0) await wait(2);
    await first.score.leave().catch(() => undefined);
    process.isDead = true;

    const second = await start(parts);
    await drained(second);
    await send(parts, 600, lines.length);
    await drained(second);
    await second.score.leave();
    expect(second.told.failed).toEqual([]);
    expect(second.told.unusable).toEqual([]);
    const hits = await hitsOf(parts);
    const keys = await leftIn(parts.state);
    await opened.pop()!.remove();
    return { hits, keys, writes, restored: second.told.restored.length };
  }

  async function leftIn(state: State): Promise<string> {
    for (const partition of [0, 1]) {
      const entries = await state.scan(snapshotSlot(partition), { prefix: '', limit: 1_000 });
      const head = JSON.parse(Buffer.from(entries.find(({ key }) => key === 'head')!.value).toString()) as {
        current: { id: string; chunks: number };
      };
      const chunks = entries.filter(({ key }) => key !== 'head').map(({ key }) => key);
      if (chunks.length !== head.current.chunks) return `${chunks.length} chunks, of ${head.current.chunks}`;
      const foreign = chunks.find((key) => !key.startsWith(`chunk/${head.current.id}/`));
      if (foreign) return foreign;
    }
    return 'the chunks of the snapshot that counts';
  }
});

describe('two owners of one partition', () => {
  test('a snapshot of whoever was replaced never counts', async () => {
    const parts = temporary();
    await send(parts, 0, 300);
    const settings = { ...always, snapshotWorthMs: 0 };
    const older = await start(parts, { settings });
    older.score.done.catch(() => undefined);
    await drained(older);
    const newer = await start(parts, { settings });
    await send(parts, 300, lines.length);
    const positions: number[] = [];
    while ((await newer.score.lag()) > 0) {
      const [head] = await parts.state.get(snapshotSlot(0), ['head']);
      const { current } = JSON.parse(Buffer.from(head!).toString()) as { current: { position: number } | null };
      positions.push(current?.position ?? 0);
      await wait(5);
    }
    await Promise.all([older.score.leave().catch(() => undefined), newer.score.leave()]);
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    expect(await hitsOf(parts)).toEqual(await quietHits());
  });
});
