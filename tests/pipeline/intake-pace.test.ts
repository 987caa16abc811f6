import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { encodeFrame, role, writeFrameName, nameBytesMax } from '../../src/domain/frame.js';
import { createFrameViews } from '../../src/pipeline/frame-views.js';
import { createIntakePace, type IntakePace } from '../../src/pipeline/intake-pace.js';
import { createIntake } from '../../src/pipeline/intake.js';
import { memoriesHere, type OpenMemory } from '../../src/pipeline/score-memory.js';
import { createScore } from '../../src/pipeline/score.js';
import type { LogRecord } from '../../src/ports/log.js';
import { createEngine } from '../../src/scoring/engine.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { temporaryEmbedded } from '../support/embedded.js';
import { drain, patternStoreOf, settledPatternSet, transactionsOn } from '../support/pipeline.js';
import { makeStream } from '../support/stream.js';

const table = { words: new Int32Array(0), doubles: new Float64Array(0) };

/** A frame on the log under this name. */
function recordOf(name: string): LogRecord {
  const frame = encodeFrame([{ roles: role.debit, flags: 0, receivedAtMs: 0, bytes: Buffer.from('{}') }]);
  const value = Buffer.alloc(frame.length + nameBytesMax);
  value.set(frame);
  return { offset: 0, value: value.subarray(0, frame.length + writeFrameName(value, frame.length, name)) };
}

describe('the pace of intake', () => {
  let nowMs: number;
  let pace: IntakePace;
  const aheadMsMax = 100;
  const waitMsMax = 2_000;

  beforeEach(() => {
    vi.useFakeTimers();
    nowMs = 1_000;
    const clock = { now: () => nowMs };
    pace = createIntakePace({ frameViews: createFrameViews(2 ** 20), aheadMsMax, waitMsMax, clock });
  });
  afterEach(() => void vi.useRealTimers());

  async function pass(ms: number): Promise<void> {
    nowMs += ms;
    await vi.advanceTimersByTimeAsync(ms);
  }

  function put(name: string, legs: number): void {
    pace.frameViews.put(name, { table, rows: new Int32Array(legs) });
  }

  /** Asks for room; `got` says whether it was given. */
  function ask(legs: number) {
    const asked = { got: false, back: () => undefined as void };
    void pace.room(legs).then((back) => Object.assign(asked, { got: true, back }));
    return asked;
  }

  /** So that scoring is known to take a leg in 0.1 ms: 1,000 legs are 100 ms ahead. */
  async function learnSpeed(): Promise<void> {
    for (let i = 0; i < 50; i++) {
      put(`learn${i}`, 1_000);
      await pass(100);
      pace.scored([recordOf(`learn${i}`)]);
    }
  }

  test('a body that finds nothing ahead has room however large it is, and the next one waits until it is scored', async () => {
    const first = ask(50_000);
    await pass(0);
    expect(first.got).toBe(true);
    put('first', 50_000);
    first.back();
    const second = ask(1);
    await pass(500);
    expect(second.got).toBe(false);
    pace.scored([recordOf('first')]);
    await pass(0);
    expect(second.got).toBe(true);
  });

  test('as much work has room as scoring does in the time allowed, by its own speed', async () => {
    await learnSpeed();
    put('ahead', 600);
    const [fits, tooMuch] = [ask(350), ask(200)];
    await pass(0);
    expect([fits.got, tooMuch.got]).toEqual([true, false]);
    // Ten times faster from now on.
    for (let i = 0; i < 50; i++) {
      put(`fast${i}`, 10_000);
      await pass(100);
      pace.scored([recordOf(`fast${i}`)]);
    }
    expect(tooMuch.got).toBe(true);
    const more = ask(8_000);
    await pass(0);
    expect(more.got).toBe(true);
  });

  test('a body larger than what is left has it once half of the room is free', async () => {
    await learnSpeed();
    put('a', 400);
    put('b', 200);
    const large = ask(5_000);
    await pass(0);
    expect(large.got).toBe(false);
    pace.scored([recordOf('b')]);
    await pass(0);
    expect(large.got).toBe(true);
  });

  test('bodies have room in the order in which they asked, small ones do not overtake', async () => {
    await learnSpeed();
    put('ahead', 900);
    const [large, small] = [ask(500), ask(10)];
    await pass(0);
    expect([large.got, small.got]).toEqual([false, false]);
    pace.scored([recordOf('ahead')]);
    await pass(0);
    expect([large.got, small.got]).toEqual([true, true]);
  });

  test('room that was given counts until it is given back, once', async () => {
    await learnSpeed();
    const [first, second] = [ask(800), ask(800)];
    await pass(0);
    expect([first.got, second.got]).toEqual([true, false]);
    first.back();
    first.back();
    const third = ask(800);
    await pass(0);
    expect([second.got, third.got]).toEqual([true, false]);
  });

  test('nobody waits for what never comes to the scorer', async () => {
    put('lost', 50_000);
    const asked = ask(10);
    await pass(waitMsMax - 1);
    expect(asked.got).toBe(false);
    await pass(1);
    expect(asked.got).toBe(true);
    // It comes late after all, and is not taken off twice.
    pace.scored([recordOf('lost')]);
    asked.back();
    put('next', 50_000);
    const next = ask(10);
    await pass(0);
    expect(next.got).toBe(false);
  });

  test('frames of others, and what has no name, change nothing', async () => {
    put('mine', 1_000);
    pace.scored([recordOf('theirs'), recordOf('')]);
    const asked = ask(10);
    await pass(0);
    expect(asked.got).toBe(false);
  });
});

describe('intake beside a scorer that stands still', () => {
  let parts: ReturnType<typeof temporaryEmbedded>;
  beforeEach(() => (parts = temporaryEmbedded()));
  afterEach(() => parts.remove());

  const stores = [
    { name: 'on two stores', isOneStore: false },
    { name: 'on one store', isOneStore: true },
  ];

  test.each(stores)('takes one body in and answers the next when that one is scored, $name', async ({ isOneStore }) => {
    const { log } = parts;
    const state = isOneStore ? parts.oneStore : parts.state;
    const clock = { now: () => performance.now() };
    const pace = createIntakePace({ frameViews: createFrameViews(2 ** 26), aheadMsMax: 1, waitMsMax: 60_000, clock });
    let goOn: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    const here = memoriesHere<PatternSet>({ createEngine, clock: Date, frameViews: pace.frameViews });
    const openMemory: OpenMemory<PatternSet> = async (...args) => {
      const memory = await here(...args);
      return Object.assign(Object.create(memory) as typeof memory, {
        score: async (...asked: Parameters<typeof memory.score>) => {
          await gate;
          return memory.score(...asked);
        },
      });
    };
    const waits: number[] = [];
    const telemetry = new Proxy({}, { get: (_, name) => (name === 'intakeWaited' ? (ms: number) => waits.push(ms) : () => 0) });
    const score = await createScore({
      log,
      state,
      patternStore: patternStoreOf(settledPatternSet()),
      openMemory,
      scored: pace.scored,
      clock: Date,
      newId: randomUUID,
    });
    const intake = createIntake({
      log,
      state,
      clock: Date,
      newId: randomUUID,
      frameViews: pace.frameViews,
      room: pace.room,
      telemetry: telemetry as NonNullable<Parameters<typeof createIntake>[0]['telemetry']>,
    });
    const lines = makeStream({ transactions: 400, seed: 3, startMs: Date.now() - 3_600_000, stepMs: 1_000 });
    const bodyOf = (part: readonly string[]): Buffer => Buffer.from(part.join('\n'));
    expect(await intake.accept(bodyOf(lines.slice(0, 200)))).toHaveLength(200);
    let isAnswered = false;
    const second = intake.accept(bodyOf(lines.slice(200))).finally(() => (isAnswered = true));
    await sleep(150);
    expect(isAnswered).toBe(false);
    expect(await transactionsOn(log)).toHaveLength(400);
    goOn();
    expect((await second).every(({ status }) => status === 'accepted')).toBe(true);
    await drain(score);
    expect(await transactionsOn(log)).toHaveLength(800);
    expect(Math.max(...waits)).toBeGreaterThan(100);
    await intake.close();
    await score.leave();
  });

  test('a body that could not be stored leaves its room to the next', async () => {
    const pace = createIntakePace({
      frameViews: createFrameViews(2 ** 26),
      aheadMsMax: 1,
      waitMsMax: 60_000,
      clock: { now: () => performance.now() },
    });
    let isFull = true;
    const log: typeof parts.log = {
      ...parts.log,
      append: (records) => (isFull ? Promise.reject(new Error('no room on the disk')) : parts.log.append(records)),
    };
    const { state } = parts;
    const intake = createIntake({ log, state, clock: Date, newId: randomUUID, ...pace });
    const body = Buffer.from(makeStream({ transactions: 300, seed: 3, startMs: Date.now(), stepMs: 1 }).join('\n'));
    await expect(intake.accept(body)).rejects.toThrow('no room on the disk');
    isFull = false;
    expect(await intake.accept(body)).toHaveLength(300);
    await intake.close();
  });
});
