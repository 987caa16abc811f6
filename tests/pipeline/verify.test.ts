import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeEvents } from '../../src/domain/event.js';
import { readForward, readFrame, role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import type { Warning } from '../../src/domain/warning.js';
import type { JournalEntry } from '../../src/pipeline/journal.js';
import { createWarningCommands } from '../../src/pipeline/warnings.js';
import { eventsOn, hitsOn, temporaryEmbedded } from '../support/embedded.js';
import { patternStoreOf, startPipeline } from '../support/pipeline.js';
import { exampleRecords } from '../support/references.js';
import { body, makeStream } from '../support/stream.js';
import {
  differencesOf,
  rewritten,
  firstSet,
  smallerSet,
  sumOf,
  tamperedLog,
  tamperedState,
  verifyStore,
  withEvents,
  withoutEntries,
} from './verify-support.js';

const lines = makeStream({ transactions: 600, seed: 11 });

let parts: ReturnType<typeof temporaryEmbedded>;
/** Everything that hit, in the order of the log. */
let hits: Hit[];
let warnings: Warning[];

beforeAll(async () => {
  parts = temporaryEmbedded();
  const store = patternStoreOf(firstSet, smallerSet);
  const third = Math.floor(lines.length / 3);
  for (const [from, set] of [
    [0, firstSet.id],
    [third, smallerSet.id],
    [2 * third, firstSet.id],
  ] as const) {
    // A start, a change of the patterns, a stop: each of them leaves traces.
    store.current = set;
    const pipeline = await startPipeline({ ...parts, patternStore: store });
    const references = Object.values(exampleRecords).map((record) => JSON.stringify({ ...record, id: `${record.id}-${from}` }));
    await pipeline.intake.accept(body(references));
    for (let at = from; at < from + third; at += 50) await pipeline.intake.accept(body(lines.slice(at, at + 50)));
    await pipeline.drained();
    if (from === third) await answerOne();
    await pipeline.drained();
    await pipeline.stop();
  }
  hits = (await hitsOn(parts.log)).map(({ data }) => data as Hit);
  warnings = (await eventsOn(parts.log, 'warnings')).map(({ data }) => data as Warning);
}, 120_000);

afterAll(() => parts.remove());

/** Acknowledges one warning and disposes of another one. */
async function answerOne(): Promise<void> {
  const told = await eventsOn(parts.log, 'warnings');
  const [one, other] = new Set(told.map(({ subject }) => subject));
  const commands = createWarningCommands({ ...parts, partitions: 2, clock: Date, newId: randomUUID });
  for (const [id, word] of [
    [one!, { kind: 'acknowledge', note: 'seen' }],
    [other!, { kind: 'dispose', verdict: 'fraud', note: 'rang the owner' }],
  ] as const) {
    expect((await commands.command(id, word, 'officer')).kind).toBe('accepted');
  }
}

describe('a store that nobody has touched', () => {
  test('is equal to what its log leads to, through restarts, changes of patterns and words of people', async () => {
    const report = await verifyStore(parts);
    expect(differencesOf(report)).toEqual({});
    expect(report.verdict).toBe('equal');
    const distinct = new Set(hits.map(({ id }) => id)).size;
    expect(sumOf(report, 'hits', 'equal')).toBe(distinct);
    expect(distinct).toBeGreaterThan(50);
    // What the last batch before a stop had sent comes again with the next start.
    expect(sumOf(report, 'hits', 'repeated')).toBe(hits.length - distinct);
    expect(sumOf(report, 'forwards', 'equal')).toBe(await forwardsOnLog());
    expect(sumOf(report, 'forwards', 'equal')).toBeGreaterThan(20);
    expect(sumOf(report, 'warnings', 'equal')).toBeGreaterThan(20);
    expect(sumOf(report, 'told', 'equal')).toBe(new Set(warnings.map(({ id, revision }) => `${id}#${revision}`)).size);
    expect(warnings.some(({ status }) => status === 'acknowledged')).toBe(true);
    expect(warnings.some(({ disposedBy }) => disposedBy === 'officer')).toBe(true);
    for (const check of ['hits', 'warnings'] as const) {
      expect(sumOf(report, check, 'pending')).toBe(0);
      expect(sumOf(report, check, 'incomparable')).toBe(0);
    }
  });

  test('is equal whatever little is held in memory at once', async () => {
    const whole = await verifyStore(parts);
    const narrow = await verifyStore(parts, { settings: { quarantinedMax: 100, keepDays: 190, heldMax: 500 } });
    expect(narrow).toEqual(whole);
  });

  test('is compared in one partition and one stretch of it alone, when that is asked for', async () => {
    const { next } = await parts.log.bounds('transactions', 1);
    const half = await verifyStore(parts, { partitions: [1], from: { offset: Math.floor(next / 2) } });
    const all = await verifyStore(parts, { partitions: [1] });
    expect(differencesOf(half)).toEqual({});
    expect(sumOf(half, 'hits', 'equal')).toBeGreaterThan(0);
    expect(sumOf(half, 'hits', 'equal')).toBeLessThan(sumOf(all, 'hits', 'equal'));
    expect(half.findings.some(({ place }) => place === 'transactions/0')).toBe(false);
    expect(half.findings.some(({ check }) => check === 'warnings')).toBe(false);
    const later = await verifyStore(parts, { from: { timeMs: Date.now() } });
    expect(sumOf(later, 'hits', 'equal')).toBe(0);
  });
});

describe('a hit', () => {
  test('that was removed from the log is missing, and so is what it led to', async () => {
    const { id } = victim();
    const report = await verifyStore({ ...parts, log: withoutHit(id) });
    expect(differencesOf(report)).toMatchObject({ hits: { missing: 1, phantom: 0, different: 0 } });
    const named = report.findings.flatMap(({ differences }) => differences);
    expect(named).toContainEqual({ kind: 'missing', id, at: expect.stringMatching(/^transactions\/\d@\d+$/) as string });
    // Its warning was told with it.
    const { different, phantom } = differencesOf(report)['warnings']!;
    expect(different + phantom).toBe(1);
  });

  test('that nobody found is a phantom', async () => {
    const { id } = victim();
    const log = tamperedLog(parts.log, (value, { topic }) =>
      topic !== 'hits' || !has(value, id)
        ? value
        : withEvents(value, ({ events }) => [
            ...events,
            { ...events[0]!, id: 'forged', data: { ...(events[0]!.data as Hit), id: 'forged' } },
          ]),
    );
    expect(differencesOf(await verifyStore({ ...parts, log }))['hits']).toEqual({ missing: 0, phantom: times(id), different: 0 });
  });

  test('that says something else is different', async () => {
    const { id } = victim();
    const log = changedHit(id, (hit) => ({ ...hit, severity: hit.severity === 'low' ? 'high' : 'low' }));
    expect(differencesOf(await verifyStore({ ...parts, log }))['hits']).toEqual({ missing: 0, phantom: 0, different: times(id) });
  });

  test('of a producer that does not exist is a phantom', async () => {
    const { id } = victim();
    const log = tamperedLog(parts.log, (value, { topic }) =>
      topic === 'hits' && has(value, id)
        ? Buffer.from(
            Buffer.from(value)
              .toString()
              .replace(/"score\/\d+"/, '"score/77"'),
          )
        : value,
    );
    const found = differencesOf(await verifyStore({ ...parts, log }))['hits']!;
    expect(found.phantom).toBe(times(id));
    expect(found.missing).toBeGreaterThan(0);
  });
});

describe('a forward', () => {
  test('that never reached its receiver is missing', async () => {
    const lost = await someForward();
    const log = tamperedLog(parts.log, (value, { topic }) =>
      topic === 'transactions'
        ? withoutEntries(value, (roles, bytes) => roles === role.forward && originOf(bytes) === lost)
        : value,
    );
    const report = await verifyStore({ ...parts, log });
    expect(report.findings.flatMap(({ check, differences }) => (check === 'forwards' ? differences : []))).toContainEqual(
      expect.objectContaining({ kind: 'missing', id: lost }),
    );
    expect(report.verdict).toBe('different');
  });
});

describe('a warning', () => {
  test('whose revision in the state is another one is different', async () => {
    const state = tamperedState(parts.state, (key, value) =>
      key === `w/${warnings[0]!.id}`
        ? rewritten<{ warning: Warning }>(value, ({ warning, ...rest }) => ({
            ...rest,
            warning: { ...warning, level: 'blue', score: 0.01 },
          }))
        : value,
    );
    expect(differencesOf(await verifyStore({ ...parts, state }))).toEqual({ warnings: { missing: 0, phantom: 0, different: 1 } });
  });

  test('that the state does not have is missing, one that no hit led to is a phantom', async () => {
    const gone = `w/${warnings[0]!.id}`;
    const without = tamperedState(parts.state, (key, value) => (key === gone ? null : value));
    expect(differencesOf(await verifyStore({ ...parts, state: without }))).toEqual({
      warnings: { missing: 1, phantom: 0, different: 0 },
    });
    const added = tamperedState(parts.state, (_key, value) => value);
    const state = {
      ...added,
      async scan(...args: Parameters<typeof added.scan>) {
        const entries = await added.scan(...args);
        const [slot, { prefix }] = args;
        return slot === 'warn/0' && prefix === 'w/' ? [...entries, { key: 'w/forged', value: entries[0]!.value }] : entries;
      },
      async get(...args: Parameters<typeof added.get>) {
        const [slot, keys] = args;
        const [other] = await parts.state.scan('warn/0', { prefix: 'w/', limit: 1 });
        return (await added.get(slot, keys)).map((value, i) => (keys[i] === 'w/forged' ? other!.value : value));
      },
    };
    expect(differencesOf(await verifyStore({ ...parts, state }))).toEqual({ warnings: { missing: 0, phantom: 1, different: 0 } });
  });

  test('whose revision was never told, or told with another content, is found', async () => {
    const { id, revision } = warnings.at(-1)!;
    const isIt = (data: unknown): boolean => (data as Warning).id === id && (data as Warning).revision === revision;
    const silenced = tamperedLog(parts.log, (value, { topic }) =>
      topic === 'warnings' ? withEvents(value, ({ events }) => events.filter(({ data }) => !isIt(data))) : value,
    );
    expect(differencesOf(await verifyStore({ ...parts, log: silenced }))['told']).toEqual({
      missing: 1,
      phantom: 0,
      different: 0,
    });
    const twisted = tamperedLog(parts.log, (value, { topic }) =>
      topic === 'warnings'
        ? withEvents(value, ({ events }) =>
            events.map((event) => (isIt(event.data) ? { ...event, data: { ...(event.data as Warning), amountFen: 1 } } : event)),
          )
        : value,
    );
    expect(differencesOf(await verifyStore({ ...parts, log: twisted }))).toEqual({
      told: { missing: 0, phantom: 0, different: 1 },
    });
  });
});

describe('a warning that an earlier release has seen disposed of', () => {
  const earlier = (change: Partial<Warning> = {}) => {
    const forget = ({ disposedBy, disposedAt: _at, dispositions: _all, ...warning }: Warning) => ({
      ...warning,
      ...(disposedBy === undefined ? {} : change),
    });
    return {
      state: tamperedState(parts.state, (key, value) =>
        key.startsWith('w/')
          ? rewritten<{ warning: Warning | null }>(value, ({ warning, ...rest }) => ({
              ...rest,
              warning: warning && forget(warning),
            }))
          : value,
      ),
      log: tamperedLog(parts.log, (value, { topic }) =>
        topic === 'warnings'
          ? withEvents(value, ({ events }) => events.map((event) => ({ ...event, data: forget(event.data as Warning) })))
          : value,
      ),
    };
  };

  test('does not say by whom, which is not comparable', async () => {
    const report = await verifyStore({ ...parts, ...earlier() });
    expect(differencesOf(report)).toEqual({});
    expect(sumOf(report, 'warnings', 'incomparable')).toBe(1);
    expect(sumOf(report, 'told', 'incomparable')).toBe(warnings.filter(({ disposedBy }) => disposedBy !== undefined).length);
  });

  test('is different where it says something else besides', async () => {
    const differences = differencesOf(await verifyStore({ ...parts, ...earlier({ note: 'nothing' }) }));
    expect(differences['warnings']).toEqual({ missing: 0, phantom: 0, different: 1 });
    expect(differences['told']?.different).toBeGreaterThan(0);
  });
});

describe('the journal', () => {
  test('that names another set for a batch leads to other hits', async () => {
    const state = tamperedState(parts.state, (key, value, slot) =>
      slot === 'score/0' && key.startsWith('journal/entry/')
        ? rewritten<JournalEntry>(value, (entry) => ({ ...entry, patternSetId: smallerSet.id }))
        : value,
    );
    const found = differencesOf(await verifyStore({ ...parts, state }));
    expect(found['hits']!.phantom).toBeGreaterThan(0);
    expect(Object.keys(found)).toEqual(['hits']);
  });

  test('with a hole in it does not link up', async () => {
    const state = tamperedState(parts.state, (key, value, slot) =>
      slot === 'score/0' && key.endsWith('/000000000000002') ? null : value,
    );
    expect(differencesOf(await verifyStore({ ...parts, state }))['chains']).toEqual({ missing: 0, phantom: 0, different: 1 });
  });

  test('that no longer names the oldest batches makes their differences incomparable, which is shown', async () => {
    const isOld = (key: string): boolean => key.startsWith('journal/entry/') && key < 'journal/entry/000000000000008';
    const state = tamperedState(parts.state, (key, value) => (isOld(key) ? null : value));
    const { id } = victim();
    const report = await verifyStore({ state, log: withoutHit(id) });
    expect(differencesOf(report)['hits']).toBeUndefined();
    expect(sumOf(report, 'hits', 'incomparable')).toBeGreaterThan(0);
    expect(report.notes.join()).toMatch(/no longer names/);
  });
});

describe('what the platform has not come to yet', () => {
  test('is pending, not wrong', async () => {
    const own = temporaryEmbedded();
    try {
      const pipeline = await startPipeline({ ...own, patternStore: patternStoreOf(firstSet) });
      for (let at = 0; at < 300; at += 50) await pipeline.intake.accept(body(lines.slice(at, at + 50)));
      await pipeline.drained();
      await pipeline.stop();
      const again = await startPipeline({ ...own, patternStore: patternStoreOf(firstSet) });
      await again.score.leave();
      await again.intake.accept(body(lines.slice(300, 400)));
      await again.stop();
      const report = await verifyStore(own);
      expect(differencesOf(report)).toEqual({});
      expect(sumOf(report, 'hits', 'pending')).toBe(await unscored(own));
      expect(sumOf(report, 'hits', 'pending')).toBeGreaterThan(0);
    } finally {
      await own.remove();
    }
  });

  test('a batch that was journaled and whose hits never left is pending until the next start', async () => {
    const last = new Map<number, number>();
    for (let partition = 0; partition < 3; partition++) {
      const [head] = await parts.state.get(`score/${partition}`, ['journal/head']);
      last.set(partition, (JSON.parse(Buffer.from(head!).toString()) as JournalEntry).from);
    }
    const isLast = (producer: string, sequence: number): boolean => {
      const owner = /^score\/(\d)$/.exec(producer)?.[1];
      return owner !== undefined && Math.floor(sequence / 65_536) - 1 >= last.get(Number(owner))!;
    };
    const log = tamperedLog(parts.log, (value, { topic }) => {
      if (topic === 'hits')
        return withEvents(value, ({ producer, sequence, events }) => (isLast(producer, sequence) ? [] : events));
      if (topic !== 'transactions') return value;
      return withoutEntries(value, (roles, bytes) => {
        if (roles !== role.forward) return false;
        const { from, sequence } = readForward(bytes, 0, bytes.length).origin;
        return sequence - 1 >= last.get(from)!;
      });
    });
    const report = await verifyStore({ ...parts, log }, { partitions: [0, 1, 2] });
    expect(differencesOf(report)).toEqual({});
    expect(sumOf(report, 'hits', 'pending') + sumOf(report, 'forwards', 'pending')).toBeGreaterThan(0);
  });

  test('a verification beside a running platform finds nothing wrong', { timeout: 120_000 }, async () => {
    const own = temporaryEmbedded();
    try {
      const pipeline = await startPipeline({ ...own, patternStore: patternStoreOf(firstSet) });
      const sending = (async () => {
        for (let at = 0; at < lines.length; at += 5) {
          await pipeline.intake.accept(body(lines.slice(at, at + 5)));
          await sleep(20);
        }
      })();
      const seen: number[] = [];
      const isSent = sending.then(() => true);
      while (!(await Promise.race([isSent, sleep(20)]))) {
        const report = await verifyStore(own);
        expect(differencesOf(report)).toEqual({});
        seen.push(sumOf(report, 'hits', 'equal'));
      }
      await pipeline.drained();
      const report = await verifyStore(own);
      expect(differencesOf(report)).toEqual({});
      // It was looked at while it went on.
      expect(seen.some((count) => count > 0 && count < sumOf(report, 'hits', 'equal'))).toBe(true);
      await pipeline.stop();
    } finally {
      await own.remove();
    }
  });
});

/** Active, not of the last batch, and of the first pattern set. */
function victim(): Hit {
  return hits.find(({ state, pattern }) => state === 'active' && pattern !== 'M01')!;
}

const has = (value: Uint8Array, hitId: string): boolean => decodeEvents(value).events.some(({ id }) => id === hitId);
const times = (hitId: string): number => hits.filter(({ id }) => id === hitId).length;

function withoutHit(hitId: string) {
  return tamperedLog(parts.log, (value, { topic }) =>
    topic === 'hits' && has(value, hitId) ? withEvents(value, ({ events }) => events.filter(({ id }) => id !== hitId)) : value,
  );
}

function changedHit(hitId: string, change: (hit: Hit) => Hit) {
  return tamperedLog(parts.log, (value, { topic }) =>
    topic !== 'hits' || !has(value, hitId)
      ? value
      : withEvents(value, ({ events }) =>
          events.map((event) => (event.id === hitId ? { ...event, data: change(event.data as Hit) } : event)),
        ),
  );
}

function originOf(bytes: Uint8Array): string {
  const { from, sequence, index } = readForward(bytes, 0, bytes.length).origin;
  return `${from}/${sequence}/${index}`;
}

async function forwardOrigins(): Promise<string[]> {
  const origins: string[] = [];
  for (let partition = 0; partition < 3; partition++) {
    const { next } = await parts.log.bounds('transactions', partition);
    const { records } = await parts.log.read('transactions', partition, 0, { recordsMax: next, bytesMax: 2 ** 28 });
    for (const { value } of records) {
      for (const { roles, start, end } of readFrame(value))
        if (roles === role.forward) origins.push(originOf(value.slice(start, end)));
    }
  }
  return origins;
}

async function forwardsOnLog(): Promise<number> {
  return new Set(await forwardOrigins()).size;
}

async function someForward(): Promise<string> {
  return (await forwardOrigins())[0]!;
}

async function unscored({ log, state }: Pick<typeof parts, 'log' | 'state'>): Promise<number> {
  let sum = 0;
  for (let partition = 0; partition < 3; partition++) {
    const [head] = await state.get(`score/${partition}`, ['journal/head']);
    sum += (await log.bounds('transactions', partition)).next - (JSON.parse(Buffer.from(head!).toString()) as JournalEntry).upTo;
  }
  return sum;
}
