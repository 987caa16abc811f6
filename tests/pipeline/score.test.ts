import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeEvents } from '../../src/domain/event.js';
import { encodeFrame, role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { partitionOf } from '../../src/domain/partition.js';
import { subjectKeyOf } from '../../src/domain/warning-facts.js';
import { OwnershipLost } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import { createFrameViews, type FrameViews } from '../../src/pipeline/frame-views.js';
import { createIntake } from '../../src/pipeline/intake.js';
import { journalHeadKey, journalSlot, openJournal } from '../../src/pipeline/journal.js';
import type { RejectedRecord } from '../../src/pipeline/rejections.js';
import { createScore, type Score } from '../../src/pipeline/score.js';
import { memoriesHere, ScoringFault } from '../../src/pipeline/score-memory.js';
import { LogDamaged } from '../../src/pipeline/transaction-frames.js';
import { createEngine } from '../../src/scoring/engine.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { createTelemetry } from '../../src/telemetry/telemetry.js';
import { eventsOn, temporaryEmbedded, valuesOn } from '../support/embedded.js';
import { withFault } from '../support/faults.js';
import { compileOrThrow, settledPatterns } from '../support/patterns.js';
import { drain, patternStoreOf, settledPatternSet } from '../support/pipeline.js';
import { body, makeStream } from '../support/stream.js';

const lines = makeStream({ transactions: 1_200, seed: 11 });
const whole = settledPatternSet();
/** Without one pattern: another set that keeps another state. */
const smaller = compileOrThrow(settledPatterns().filter(({ file }) => !file.startsWith('M01')));
/** One pattern in shadow: another set that keeps the same state. */
const shadowed = compileOrThrow(
  settledPatterns().map((source) => (source.file.startsWith('M01') ? { ...source, state: 'shadow' as const } : source)),
);

let parts: ReturnType<typeof temporaryEmbedded>;
let scores: Score[];

beforeEach(() => {
  parts = temporaryEmbedded();
  scores = [];
});

afterEach(async () => {
  for (const score of scores) await score.leave();
  await parts.remove();
});

describe('hits are a pure function of the log', () => {
  test('however the log is cut into batches, with restarts between, the hits are the same', async () => {
    await send(lines, 40);
    await drain(await open({ limit: { recordsMax: 1_000, bytesMax: 64 * 2 ** 20 } }));
    const expected = await hitIds();
    expect(expected.length).toBeGreaterThan(50);

    const other = temporaryEmbedded();
    try {
      await send(lines, 40, other);
      for (const recordsMax of [1, 3, 7]) {
        const score = await open({ limit: { recordsMax, bytesMax: 2 ** 20 } }, patternStoreOf(whole), other);
        await wait(15);
        await score.leave();
      }
      await drain(await open({ limit: { recordsMax: 2, bytesMax: 2 ** 20 } }, patternStoreOf(whole), other));
      expect([...new Set(await hitIds(other))].sort()).toEqual([...new Set(expected)].sort());
    } finally {
      await Promise.all(scores.splice(0).map((score) => score.leave()));
      await other.remove();
    }
  });

  test('what intake has read need not be read again: the hits are the same, and what fits no record is read', async () => {
    await send(lines, 40);
    await drain(await open());
    const expected = await valuesOfHits();
    expect(expected.length).toBeGreaterThan(50);

    for (const spoil of [false, true]) {
      const other = temporaryEmbedded();
      try {
        const counted = countingViews(spoil);
        await send(lines, 40, other, counted.views);
        await drain(await open({}, patternStoreOf(whole), other, createEngine, counted.views));
        expect(counted.rows()).toBeGreaterThan(lines.length);
        expect(await valuesOfHits(other)).toEqual(expected);
      } finally {
        await Promise.all(scores.splice(1).map((score) => score.leave()));
        await other.remove();
      }
    }
  });

  test('a hit lies in the partition of its enterprise, and frames of one producer count up', async () => {
    await send(lines, 100);
    await drain(await open());
    for (let partition = 0; partition < parts.log.partitions('hits'); partition++) {
      const marks = new Map<string, number>();
      for (const value of await valuesOn(parts.log, 'hits', partition)) {
        const { producer, sequence, events } = decodeEvents(value);
        expect(sequence).toBeGreaterThan(marks.get(producer) ?? -1);
        marks.set(producer, sequence);
        for (const { data } of events) expect(partitionOf(subjectKeyOf(data as Hit), 2)).toBe(partition);
      }
      expect(marks.size).toBeGreaterThan(1);
    }
  });
});

describe('what was journaled is scored again as it was', () => {
  test('nothing leaves before its journal entry is durable', async () => {
    await send(lines, 1_200);
    const faulty = withFault(parts.log, parts.state, { point: 'journal', number: 3, mode: 'before' });
    await expect((await open({}, patternStoreOf(whole), faulty)).done).rejects.toThrow('before journal');
    expect(await hitIds()).toEqual([]);
  });

  test('on one store an entry that is refused takes its hits with it', async () => {
    await send(lines, 1_200);
    const one = { ...parts, state: parts.oneStore };
    let journaled = 0;
    const together: State['together'] = async (commits, records) => {
      // Somebody takes the partition over in the instant before the write.
      if (journaled++ === 2) await openJournal(parts, Number(commits[0]!.slot.split('/')[1]), randomUUID);
      return parts.oneStore.together!(commits, records);
    };
    const limit = { recordsMax: 1, bytesMax: 2 ** 20 };
    const before = new Set<string>();
    const score = await open({ limit }, patternStoreOf(whole), { ...one, state: { ...one.state, together } });
    await drain(score);
    for (const id of await hitIds()) before.add(id);
    expect(journaled).toBeGreaterThan(3);

    const quiet = temporaryEmbedded();
    try {
      await send(lines, 1_200, quiet);
      await drain(await open({ limit }, patternStoreOf(whole), { ...quiet, state: quiet.oneStore }));
      expect([...before].sort()).toEqual([...new Set(await hitIds(quiet))].sort());
      // Nothing of the batch that was refused went out: the one that scored it again said each hit once.
      expect((await hitIds()).length).toBe(before.size);
    } finally {
      await Promise.all(scores.splice(0).map((one) => one.leave()));
      await quiet.remove();
    }
  });

  test('a batch whose hits were lost is scored under the set that it was journaled with, though another is in force', async () => {
    await send(lines, 1_200);
    const faulty = withFault(parts.log, parts.state, { point: 'journal', number: 5, mode: 'after' });
    await expect((await open({}, patternStoreOf(smaller), faulty)).done).rejects.toThrow('after journal');
    const store = patternStoreOf(whole, smaller);
    await drain(await open({}, store));

    const fresh = temporaryEmbedded();
    try {
      await send(lines, 1_200, fresh);
      await drain(await open({}, patternStoreOf(smaller), fresh));
      const journaled = [...new Set(await hitIds())];
      expect(journaled.sort()).toEqual([...new Set(await hitIds(fresh))].sort());
    } finally {
      await Promise.all(scores.splice(0).map((score) => score.leave()));
      await fresh.remove();
    }
  });

  test('after a clean stop the last batch’s hits come again under the same sequence, and nothing else', async () => {
    const limit = { recordsMax: 1, bytesMax: 2 ** 20 };
    await send(lines, 100);
    await drain(await open({ limit }));
    await scores.pop()?.leave();
    const before = await frames();
    await drain(await open({ limit }));
    for (const [partition, all] of (await frames()).entries()) {
      const known = before[partition] ?? [];
      const again = all.slice(known.length);
      expect(all.slice(0, known.length)).toEqual(known);
      for (const frame of again) expect(known.findLast(({ producer }) => producer === frame.producer)).toEqual(frame);
      expect(again.length).toBeLessThanOrEqual(3);
    }
  });

  test('each entry names the one before it, and the offsets leave no gap', async () => {
    await send(lines, 50);
    await drain(await open({ limit: { recordsMax: 2, bytesMax: 2 ** 20 } }));
    const stored = await parts.state.scan(journalSlot(0), { prefix: 'journal/entry/', limit: 1_000 });
    const entries = stored.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as Record<string, unknown>);
    expect(entries.length).toBeGreaterThan(5);
    for (const [i, entry] of entries.entries()) {
      expect(entry['before']).toBe(entries[i - 1]?.['batch'] ?? null);
      expect(entry['from']).toBe(entries[i - 1]?.['upTo'] ?? 0);
      expect(entry['sequence']).toBe(i + 1);
    }
  });
});

describe('a change of patterns is taken between batches', () => {
  test('a set that keeps the same state is adopted as it is', async () => {
    expect(shadowed.planId).toBe(whole.planId);
    const store = patternStoreOf(whole, shadowed);
    await send(lines.slice(0, 600), 600);
    const score = await open({}, store);
    await drain(score);
    store.current = shadowed.id;
    await send(lines.slice(600), 600);
    await drain(score);
    expect(score.patternSets()).toEqual([shadowed.id]);
    const found = (await hits()).filter(({ pattern }) => pattern === 'M01');
    const statesOf = (isLater: boolean) =>
      new Set(found.filter(({ transaction }) => transaction >= 'T0000600' === isLater).map(({ state }) => state));
    expect(statesOf(false)).toEqual(new Set(['active']));
    expect(statesOf(true)).toEqual(new Set(['shadow']));
  });

  test('a set that keeps another state is warmed up from the log: it hits as if it had always been there', async () => {
    expect(smaller.planId).not.toBe(whole.planId);
    const store = patternStoreOf(smaller, whole);
    await send(lines.slice(0, 600), 600);
    const score = await open({}, store);
    await drain(score);
    const before = new Set(await hitIds());
    store.current = whole.id;
    await send(lines.slice(600), 600);
    await drain(score);
    const later = (await hitIds()).filter((id) => !before.has(id));

    const reference = temporaryEmbedded();
    try {
      await send(lines.slice(0, 600), 600, reference);
      const always = await open({}, patternStoreOf(whole), reference);
      await drain(always);
      const early = new Set(await hitIds(reference));
      await send(lines.slice(600), 600, reference);
      await drain(always);
      const expected = (await hitIds(reference)).filter((id) => !early.has(id));
      expect(expected.length).toBeGreaterThan(10);
      expect(later.sort()).toEqual(expected.sort());
    } finally {
      await Promise.all(scores.splice(0).map((one) => one.leave()));
      await reference.remove();
    }
  });

  test('a change is taken where the clock has been set back', async () => {
    let nowMs = Date.parse('2026-07-02T00:00:00Z');
    const store = patternStoreOf(whole, smaller);
    const score = await open({ pollMs: 500 }, store, parts, createEngine, undefined, undefined, { now: () => nowMs });
    await send(lines.slice(0, 300), 300);
    await drain(score);
    store.current = smaller.id;
    nowMs -= 3_600_000;
    await send(lines.slice(300, 600), 300);
    await drain(score);
    expect(score.patternSets()).toEqual([smaller.id]);
  });

  test('a set that cannot be loaded leaves the one in force where it is', async () => {
    const store = patternStoreOf(whole);
    await send(lines.slice(0, 600), 600);
    const score = await open({}, store);
    await drain(score);
    store.current = 'broken';
    await send(lines.slice(600), 600);
    await drain(score);
    expect(score.patternSets()).toEqual([whole.id]);
  });

  test('a set that cannot be loaded is said once and seen until another one is decided on', async () => {
    const said: Record<string, unknown>[] = [];
    const destination = { write: (line: string) => void said.push(JSON.parse(line) as Record<string, unknown>) };
    const telemetry = createTelemetry({ level: 'warn', destination, now: Date.now });
    const store = patternStoreOf(whole);
    const score = await open({}, store, parts, createEngine, undefined, telemetry);
    await send(lines.slice(0, 60), 60);
    await drain(score);
    store.current = 'broken';
    for (let i = 60; i < 300; i += 60) await send(lines.slice(i, i + 60), 60);
    await drain(score);
    expect(said).toMatchObject([
      {
        level: 50,
        patternSet: 'broken',
        inForce: whole.id,
        fault: 'no pattern set broken',
        msg: 'a pattern set cannot be loaded here, the one in force stays',
      },
    ]);
    expect(telemetry.setsUnloadable()).toEqual(['broken']);
    const metrics = await telemetry.metrics();
    expect(metrics).toContain('huqi_pattern_set_unloadable 1\n');
    expect(metrics).toContain('huqi_consumer_faults_total{group="score",topic="transactions"} 0\n');
    store.current = whole.id;
    await send(lines.slice(300, 600), 300);
    await drain(score);
    expect(telemetry.setsUnloadable()).toEqual([]);
    expect(await telemetry.metrics()).toContain('huqi_pattern_set_unloadable 0\n');
  });
});

describe('faults', () => {
  test('of two owners of one partition the second to write gives it up, says why, and goes on from where the other was', async () => {
    await send(lines.slice(0, 300), 300);
    const score = await open();
    await drain(score);
    for (let partition = 0; partition < 3; partition++) {
      const journal = await openJournal(parts, partition, randomUUID);
      await journal.append({ from: journal.head?.upTo ?? 0, upTo: journal.head?.upTo ?? 0, patternSetId: whole.id }, []);
    }
    await send(lines.slice(300, 600), 300);
    await drain(score);
    const lost = parts.troubles.map(({ partition, error }) => `${partition} ${error instanceof OwnershipLost}`);
    expect(lost.toSorted()).toEqual(['0 true', '1 true', '2 true']);
    expect(String(parts.troubles[0]?.error)).toMatch(/another owner has taken over/);
    const fresh = temporaryEmbedded();
    try {
      await send(lines.slice(0, 600), 300, fresh);
      await drain(await open({}, patternStoreOf(whole), fresh));
      expect([...new Set(await hitIds())].sort()).toEqual([...new Set(await hitIds(fresh))].sort());
    } finally {
      await Promise.all(scores.splice(0).map((one) => one.leave()));
      await fresh.remove();
    }
  });

  test('a damaged frame stops the partition and is never skipped', async () => {
    await send(lines.slice(0, 300), 300);
    await parts.log.append([{ topic: 'transactions', partition: 1, value: new Uint8Array([1, 9, 0, 0, 0, 7]) }]);
    await expect((await open()).done).rejects.toThrow(LogDamaged);
    await expect(scores[0]?.done).rejects.toThrow(/transactions\/1: the record at offset 1 is damaged/);
  });

  test('a frame with a record that cannot be read stops the partition as well', async () => {
    const bytes = new TextEncoder().encode('{"id":"A1"}');
    const value = encodeFrame([{ roles: role.debit, flags: 0, receivedAtMs: 0, bytes }]);
    await parts.log.append([{ topic: 'transactions', partition: 0, value }]);
    await expect((await open()).done).rejects.toThrow(/offset 0 is damaged: a transaction in it cannot be read/);
  });

  test('a transaction on which scoring fails is kept aside, told, and the rest goes on', async () => {
    await send(lines, 200);
    await drain(await open({}, patternStoreOf(whole), parts, failingOn('T0000100')));
    const rejected = (await eventsOn(parts.log, 'rejected')).map(({ data }) => data as RejectedRecord);
    expect(new Set(rejected.map(({ id, reason }) => `${id}/${reason}`))).toEqual(new Set(['T0000100/scoring-fault']));
    expect(rejected[0]?.raw).toBe(lines[100]);
    const others = lines.filter((_, i) => i !== 100);
    const apart = temporaryEmbedded();
    await send(others, 200, apart);
    await drain(await open({}, patternStoreOf(whole), apart));
    expect(new Set(await hitIds())).toEqual(new Set(await hitIds(apart)));
    for (const score of scores.splice(0)) await score.leave();
    await apart.remove();
  });

  test('where scoring fails on everything, the batch is not skipped', async () => {
    await send(lines, 1_200);
    const score = await open({ quarantinedMax: 20 }, patternStoreOf(whole), parts, failingOn(''));
    await expect(score.done).rejects.toThrow(ScoringFault);
    const [head] = await parts.state.get(journalSlot(0), [journalHeadKey]);
    expect(JSON.parse(Buffer.from(head!).toString())).toMatchObject({ sequence: 0, upTo: 0 });
  });
});

async function send(
  part: readonly string[],
  perBody: number,
  to: Pick<typeof parts, 'log' | 'state'> = parts,
  frameViews?: FrameViews,
): Promise<void> {
  const clock = { now: () => Date.parse('2026-07-02T00:00:00+08:00') };
  const intake = createIntake({ ...to, clock, newId: randomUUID, ...(frameViews ? { frameViews } : {}) });
  for (let at = 0; at < part.length; at += perBody) await intake.accept(body(part.slice(at, at + perBody)));
  await intake.settled();
}

async function open(
  settings: Parameters<typeof createScore>[0]['settings'] = {},
  patternStore = patternStoreOf(whole),
  on: Pick<typeof parts, 'log' | 'state'> = parts,
  engineOf: typeof createEngine = createEngine,
  frameViews?: FrameViews,
  telemetry?: ReturnType<typeof createTelemetry>,
  clock: { now(): number } = Date,
): Promise<Score> {
  const score = await createScore<PatternSet>({
    log: on.log,
    state: on.state,
    patternStore,
    openMemory: memoriesHere({ createEngine: engineOf, clock: Date, frameViews }),
    clock,
    newId: randomUUID,
    settings: { pollMs: 0, ...settings },
    ...(telemetry ? { telemetry } : {}),
  });
  scores.push(score);
  return score;
}

/** Counts the rows that scoring takes; spoiled, each row says what the record of another length says. */
function countingViews(spoil: boolean): { views: FrameViews; rows(): number } {
  const kept = createFrameViews(64 * 2 ** 20);
  let taken = 0;
  const views: FrameViews = {
    put: (name, { table, rows }) => {
      const words = spoil ? table.words.map((word) => word + 1) : table.words;
      kept.put(name, { table: { ...table, words }, rows });
    },
    take(name) {
      const known = kept.take(name);
      taken += known?.rows.filter((row) => row >= 0).length ?? 0;
      return known;
    },
    forget: (name) => kept.forget(name),
  };
  return { views, rows: () => taken };
}

/** The hits themselves, whatever frames they came in. */
async function valuesOfHits(on: Pick<typeof parts, 'log'> = parts): Promise<string[]> {
  const found: string[] = [];
  for (let partition = 0; partition < on.log.partitions('hits'); partition++) {
    for (const value of await valuesOn(on.log, 'hits', partition)) {
      found.push(...decodeEvents(value).events.map(({ data }) => JSON.stringify(data)));
    }
  }
  return found.sort();
}

/** The real engine, failing on every transaction whose id begins so. */
function failingOn(prefix: string): typeof createEngine {
  return (set, options) => {
    const engine = createEngine(set, options);
    return {
      ...engine,
      get patternSet() {
        return engine.patternSet;
      },
      score: (view, roles, flags, receivedAtMs, found) => {
        if (view.id.startsWith(prefix)) throw new TypeError('made to fail');
        engine.score(view, roles, flags, receivedAtMs, found);
      },
      scoreBatch: (batch, found) => {
        // As a fault inside: what stands before it in the batch has been scored.
        const at = batch.views.slice(0, batch.count).findIndex((view) => view.id.startsWith(prefix));
        if (at < 0) return engine.scoreBatch(batch, found);
        for (let i = 0; i < at; i++)
          engine.score(batch.views[i]!, batch.roles[i]!, batch.flags[i]!, batch.receivedAtMs[i]!, found);
        throw new TypeError('made to fail');
      },
      adopt: (next) => engine.adopt(next),
      stats: () => engine.stats(),
    };
  };
}

async function hits(from: Pick<typeof parts, 'log'> = parts): Promise<Hit[]> {
  return (await eventsOn(from.log, 'hits')).map(({ data }) => data as Hit);
}

async function hitIds(from: Pick<typeof parts, 'log'> = parts): Promise<string[]> {
  return (await hits(from)).map(({ id }) => id);
}

/** By partition, in the order of the log. */
async function frames() {
  const partitions = [0, 1].map((partition) => valuesOn(parts.log, 'hits', partition));
  return (await Promise.all(partitions)).map((values) => values.map((value) => decodeEvents(value)));
}
