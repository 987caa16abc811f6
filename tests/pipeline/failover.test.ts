import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createIntake } from '../../src/pipeline/intake.js';
import { memoriesHere } from '../../src/pipeline/score-memory.js';
import { createScore, type Score } from '../../src/pipeline/score.js';
import { createWarn } from '../../src/pipeline/warn.js';
import { createWarningCommands } from '../../src/pipeline/warnings.js';
import { OwnershipLost, type Log, type Membership, type OutgoingRecord } from '../../src/ports/log.js';
import { createEngine } from '../../src/scoring/engine.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { eventsOn, hitsOn, temporaryEmbedded } from '../support/embedded.js';
import { patternStoreOf, resultOf, settledPatternSet, shippedPolicy, type RunResult } from '../support/pipeline.js';
import { withForgetting, type ForgetfulState } from '../support/rollback.js';
import { body, makeStream } from '../support/stream.js';

const lines = makeStream({ transactions: 900, seed: 23 });
const perBody = 12;
const dayOfStream = { now: () => Date.parse('2026-07-02T00:00:00+08:00') };

let parts: ReturnType<typeof temporaryEmbedded>;
let members: Membership[];

beforeEach(() => {
  parts = temporaryEmbedded();
  members = [];
});
afterEach(async () => {
  for (const member of members) await member.leave();
  await parts.remove();
});

describe('a state store that has lost its last commits', () => {
  test('leaves no transaction unscored, no hit and no warning of a run that did not happen, no revision with two texts', async () => {
    const expected = await quietRun();
    for (const seed of [1, 2, 3]) {
      const run = temporaryEmbedded();
      try {
        const state = withForgetting(run.state);
        const running = await start(run.log, state);
        await send(run.log, run.state);
        const random = createRandom(seed);
        for (let failovers = 0; failovers < 12; failovers++) {
          await wait(20 + random() * 60);
          await state.forget(1 + Math.floor(random() * 6));
        }
        await drained(running);
        expect(run.troubles.length).toBeGreaterThan(0);
        expect(run.troubles.filter(({ error }) => !(error instanceof OwnershipLost))).toEqual([]);
        expectSame(await resultOf(run.log, run.state), expected);
        await Promise.all(running.map((member) => member.leave()));
      } finally {
        await run.remove();
      }
    }
  });

  test('tells a revision again word for word, what people have said included', async () => {
    const state = withForgetting(parts.state);
    const running = await start(parts.log, state);
    await send(parts.log, parts.state, lines.slice(0, 400));
    await drained(running);
    const told = await eventsOn(parts.log, 'warnings');
    const [first] = told;
    const commands = createWarningCommands({ ...shared(parts.log, state), partitions: parts.log.partitions('hits') });
    await commands.command(first!.subject, { kind: 'acknowledge' }, '王警官', 'key');
    await drained(running);
    // The claims' slots were not forgotten by this state: these commits are of scoring and of warnings alone.
    await state.forget(Math.floor(state.commits() / 2));
    await send(parts.log, parts.state, lines.slice(400));
    await drained(running);
    const again = await eventsOn(parts.log, 'warnings');
    const contents = new Map<string, Set<string>>();
    for (const { id, type, time, data } of again) {
      const known = contents.get(id) ?? new Set<string>();
      contents.set(id, known.add(JSON.stringify([type, time, data])));
    }
    expect(again.length).toBeGreaterThan(contents.size);
    expect([...contents.values()].filter(({ size }) => size > 1)).toEqual([]);
    expectSame(await resultOf(parts.log, parts.state), await quietRun(['acknowledged', first!.subject]));
  });
});

describe('two owners of one partition', () => {
  test('of whom the first stood still between its journal and its hits: what it sends late changes nothing', async () => {
    const expected = await quietRun();
    const state = withForgetting(parts.state);
    await send(parts.log, parts.state);
    const held = holdingAppends(parts.log);
    const first = await openScore(held.log, state);
    await expect.poll(() => held.waiting(), { timeout: 20_000 }).toBe(3);

    // Another process takes over; to it this one is dead. Its log has groups of its own.
    const second = [await openScore(parts.otherLog(), state), await openWarn(parts.log, state)];
    await drained(second);
    const before = await hitsOn(parts.log);
    await held.release();
    await expect.poll(() => parts.troubles.filter(({ group }) => group === 'score').length).toBeGreaterThanOrEqual(3);
    await first.leave();
    await drained(second);
    expect((await hitsOn(parts.log)).length).toBeGreaterThan(before.length);
    expectSame(await resultOf(parts.log, parts.state), expected);
  });

  test('the older one writes to nothing once the newer one has opened it', async () => {
    const appended: OutgoingRecord[][] = [];
    const log: Log = {
      ...parts.log,
      append: (records) => {
        appended.push([...records]);
        return parts.log.append(records);
      },
    };
    await send(parts.log, parts.state, lines.slice(0, 300));
    const first = await openScore(log, parts.state);
    await drained([first]);
    const second = await openScore(parts.otherLog(), parts.state);
    await drained([second]);
    const count = appended.length;
    await second.leave();
    await send(parts.log, parts.state, lines.slice(300, 400));
    await expect.poll(() => parts.troubles.length).toBe(3);
    expect(parts.troubles.every(({ error }) => error instanceof OwnershipLost)).toBe(true);
    expect(appended.length).toBe(count);
  });
});

function shared(log: Log, state: ForgetfulState | typeof parts.state) {
  return { log, state, clock: Date, newId: randomUUID };
}

async function start(log: Log, state: ForgetfulState): Promise<Membership[]> {
  return [await openScore(log, state), await openWarn(log, state)];
}

async function openScore(log: Log, state: ForgetfulState | typeof parts.state): Promise<Score> {
  const score = await createScore<PatternSet>({
    ...shared(log, state),
    patternStore: patternStoreOf(settledPatternSet()),
    openMemory: memoriesHere({ createEngine, clock: Date }),
    settings: { pollMs: 0, limit: { recordsMax: 3, bytesMax: 2 ** 20 } },
  });
  members.push(score);
  return score;
}

async function openWarn(log: Log, state: ForgetfulState): Promise<Membership> {
  const settings = { limit: { recordsMax: 3, bytesMax: 2 ** 20 } };
  const warn = await createWarn({ ...shared(log, state), policy: shippedPolicy, settings });
  members.push(warn);
  return warn;
}

async function send(log: Log, state: typeof parts.state, part: readonly string[] = lines): Promise<void> {
  const intake = createIntake({ log, state, clock: dayOfStream, newId: randomUUID });
  for (let at = 0; at < part.length; at += perBody) await intake.accept(body(part.slice(at, at + perBody)));
  await intake.settled();
}

async function drained(running: readonly Membership[]): Promise<void> {
  const failed = Promise.race(running.map(({ done }) => done));
  const idle = async () => {
    for (let quiet = 0; quiet < 3;) {
      await wait(10);
      const lags = await Promise.all(running.map((member) => member.lag()));
      const isOpen = running.every((member) => (member.owned() ?? []).every((one) => one.isOpen));
      quiet = isOpen && lags.every((lag) => lag === 0) ? quiet + 1 : 0;
    }
  };
  await Promise.race([failed, idle()]);
}

/** The same lines without any trouble; with a word on one warning where it is given. */
async function quietRun(said?: readonly ['acknowledged', string]): Promise<RunResult> {
  const quiet = temporaryEmbedded();
  try {
    const state = withForgetting(quiet.state);
    const running = await start(quiet.log, state);
    await send(quiet.log, quiet.state, said ? lines.slice(0, 400) : lines);
    await drained(running);
    if (said) {
      const commands = createWarningCommands({ ...shared(quiet.log, state), partitions: quiet.log.partitions('hits') });
      await commands.command(said[1], { kind: 'acknowledge' }, '王警官', 'key');
      await drained(running);
      await send(quiet.log, quiet.state, lines.slice(400));
      await drained(running);
    }
    await Promise.all(running.map((member) => member.leave()));
    return await resultOf(quiet.log, quiet.state);
  } finally {
    await quiet.remove();
  }
}

function expectSame(found: RunResult, expected: RunResult): void {
  expect(found.transactions).toEqual(expected.transactions);
  expect([...found.hits.keys()]).toEqual([...expected.hits.keys()]);
  expect(found.hits).toEqual(expected.hits);
  expect(withoutHours(found)).toEqual(withoutHours(expected));
}

/** Of an acknowledgement the hour differs from run to run. */
function withoutHours({ warnings }: RunResult): unknown {
  return [...warnings].map(([id, warning]) => [id, { ...(warning as object), acknowledgedAt: undefined }]);
}

/** Holds the first append of hits of each partition of scoring back until it is let go. */
function holdingAppends(log: Log) {
  const held: (() => Promise<void>)[] = [];
  let isOpen = false;
  return {
    log: {
      ...log,
      append: (records: readonly OutgoingRecord[]) => {
        if (isOpen || !records.some(({ topic }) => topic === 'hits')) return log.append(records);
        return new Promise<void>((resolve, reject) => {
          held.push(() => log.append(records).then(resolve, reject));
        });
      },
    },
    waiting: () => held.length,
    async release() {
      isOpen = true;
      for (const append of held) await append().catch(() => undefined);
    },
  };
}

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
