import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dayNumber } from '../../src/domain/bank-day.js';
import { createClaims, type Claim, type ClaimAnswer, type Claims } from '../../src/pipeline/claims.js';
import { temporaryEmbedded, valuesOn } from '../support/embedded.js';
import { Crash, withFault } from '../support/faults.js';
import { withForgetting } from '../support/rollback.js';

const startMs = Date.parse('2026-07-01T12:00:00+08:00');
const dayMs = 86_400_000;

let parts: ReturnType<typeof temporaryEmbedded>;
let attempts: number;

beforeEach(() => {
  parts = temporaryEmbedded();
  attempts = 0;
});
afterEach(() => parts.remove());

describe('what is claimed is known for ever after', () => {
  test('by the next process as well, however many blocks there are', async () => {
    const first = open();
    for (let body = 0; body < 150; body++) await take(first, range(body * 3, 3));
    const second = open();
    expect(await kinds(second, range(0, 450))).toEqual(Array(450).fill('duplicate'));
    expect(await kinds(second, range(450, 2))).toEqual(['new', 'new']);
  });

  test('by another process that was there already', async () => {
    const [first, second] = [open(), open()];
    await take(first, range(0, 5));
    await take(second, range(5, 5));
    await take(first, range(10, 5));
    expect(await kinds(second, range(0, 15))).toEqual(Array(15).fill('duplicate'));
    expect(await kinds(first, range(0, 15))).toEqual(Array(15).fill('duplicate'));
  });

  test('a conflict names what was said first and when', async () => {
    const claims = open();
    await take(claims, [claimOf(1)]);
    const [answer] = await claims.claim('other', [{ ...claimOf(1), contentLow: 99 }], startMs);
    expect(answer).toEqual({ kind: 'conflict', earlierContent: '0000000700000001', earlierDay: dayNumber(startMs) });
    claims.abandon('other');
  });
});

describe('a store that has lost its last commits', () => {
  test('a claim that went with them is no duplicate, whoever holds it in memory', async () => {
    const state = withForgetting(parts.state);
    const [first, second] = [open({ state, slots: 1 }), open({ state, slots: 1 })];
    const before = state.commits();
    await first.claim('lost', range(0, 3), startMs);
    first.abandon('lost');
    const lost = state.commits() - before;
    // The second one has read it; it was never on the log, and the store loses it.
    expect((await second.claim('look', range(0, 3), startMs)).map(({ kind }) => kind)).toEqual(Array(3).fill('again'));
    second.abandon('look');
    await state.forget(state.commits() - before);
    expect(lost).toBe(1);
    expect(await kinds(second, range(0, 3))).toEqual(Array(3).fill('again'));
    expect(await kinds(first, range(0, 3))).toEqual(Array(3).fill('duplicate'));
  });

  test('blocks that others have written under the numbers of lost ones are read', async () => {
    const state = withForgetting(parts.state);
    const [first, second, third] = [1, 2, 3].map(() => open({ state, slots: 1 }));
    await take(first!, range(0, 3));
    const before = state.commits();
    await take(first!, range(3, 3));
    // The second one has read both blocks; the store loses the latter, and the third one takes its number.
    expect(await kinds(second!, range(0, 6))).toEqual(Array(6).fill('duplicate'));
    await state.forget(state.commits() - before);
    await take(third!, range(6, 3));
    // What it claims next is refused, and it reads again.
    await take(second!, range(9, 3));
    expect(await kinds(second!, range(6, 3))).toEqual(Array(3).fill('duplicate'));
  });
});

describe('nobody knows how it ended', () => {
  test('the process died between claim and append: the next one takes it again, once', async () => {
    await open().claim('lost', range(0, 4), startMs);
    const next = open();
    expect(await kinds(next, range(0, 4))).toEqual(Array(4).fill('again'));
    expect(await kinds(next, range(0, 4))).toEqual(Array(4).fill('duplicate'));
  });

  test('the append failed: this one takes it again', async () => {
    const claims = open();
    await claims.claim('failed', range(0, 4), startMs);
    claims.abandon('failed');
    expect(await kinds(claims, range(0, 4))).toEqual(Array(4).fill('again'));
  });

  for (const [mode, expected] of [
    ['before', 'new'],
    ['after', 'again'],
  ] as const) {
    test(`the store failed ${mode} it wrote the claims: never a duplicate, never forgotten`, async () => {
      const faulty = withFault(parts.log, parts.state, { point: 'claims', number: 0, mode });
      // Only the one write fails here, the process lives on.
      const claims = open({
        state: {
          ...parts.state,
          commit: (slot, change) => (faulty.hasCrashed() ? parts.state.commit(slot, change) : faulty.state.commit(slot, change)),
        },
        slots: 1,
      });
      await expect(claims.claim('broken', range(0, 3), startMs)).rejects.toThrow(Crash);
      claims.abandon('broken');
      expect(await kinds(claims, range(0, 3))).toEqual(Array(3).fill(expected));
      expect(await kinds(claims, range(0, 3))).toEqual(Array(3).fill('duplicate'));
    });
  }

  test('whatever fails and whoever restarts, nothing is lost and nothing taken twice as new', { timeout: 60_000 }, async () => {
    const random = seeded(7);
    const isNewBy = new Map<number, number>();
    const isOnLog = new Set<number>();
    let claims = open();
    for (let body = 0; body < 400; body++) {
      if (random() < 0.1) claims = open();
      const ids = [...new Set(Array.from({ length: 1 + Math.floor(random() * 6) }, () => Math.floor(random() * 300)))];
      const attempt = `random-${body}`;
      const answers = await claims.claim(
        attempt,
        ids.map((id) => claimOf(id)),
        startMs,
      );
      for (const [i, id] of ids.entries()) {
        const kind = answers[i]?.kind;
        if (kind === 'new') isNewBy.set(id, (isNewBy.get(id) ?? 0) + 1);
        // A duplicate that never reached the log would be a lost transaction.
        if (kind === 'duplicate') expect(isOnLog.has(id), `transaction ${id}`).toBe(true);
        else expect(kind === 'new' || kind === 'again').toBe(true);
      }
      const end = random();
      if (end < 0.2) claims.abandon(attempt);
      else if (end < 0.3) claims = open();
      else {
        for (const id of ids) isOnLog.add(id);
        await claims.finish(attempt);
      }
    }
    expect(isNewBy.size).toBeGreaterThan(280);
    expect([...isNewBy.values()].every((count) => count === 1)).toBe(true);
  });
});

describe('at the same time', () => {
  test('two processes and many bodies never both take a transaction as new', { timeout: 60_000 }, async () => {
    const random = seeded(3);
    const both = [open({ slots: 2 }), open({ slots: 2 })];
    const taken = new Map<number, number>();
    const bodies = Array.from({ length: 80 }, (_, n) => async () => {
      const claims = both[n % 2]!;
      const ids = [...new Set(Array.from({ length: 5 }, () => Math.floor(random() * 120)))];
      for (let tries = 0; ; tries++) {
        const attempt = `body-${n}-${tries}`;
        try {
          const answers = await claims.claim(
            attempt,
            ids.map((id) => claimOf(id)),
            startMs,
          );
          for (const [i, id] of ids.entries()) if (answers[i]?.kind === 'new') taken.set(id, (taken.get(id) ?? 0) + 1);
          return await claims.finish(attempt);
        } catch (error) {
          claims.abandon(attempt);
          if (!(error as { retriable?: boolean }).retriable || tries > 20) throw error;
        }
      }
    });
    await Promise.all(bodies.map((body) => body()));
    expect(taken.size).toBeGreaterThan(100);
    expect([...taken.values()].filter((count) => count > 1)).toEqual([]);
    expect(
      await kinds(
        open({ slots: 2 }),
        [...taken.keys()].map((id) => claimOf(id)),
      ),
    ).toEqual(Array(taken.size).fill('duplicate'));
  });
});

describe('on one store', () => {
  test(
    'what is claimed is on the log, and what is on the log is claimed, whoever else claims it',
    { timeout: 60_000 },
    async () => {
      const random = seeded(11);
      const both = [open({ slots: 2, state: parts.oneStore }), open({ slots: 2, state: parts.oneStore })];
      const bodies = Array.from({ length: 160 }, (_, n) => async () => {
        const ids = [...new Set(Array.from({ length: 5 }, () => Math.floor(random() * 120)))];
        for (let tries = 0; ; tries++) {
          try {
            return await record(both[n % 2]!, `body-${n}-${tries}`, ids);
          } catch (error) {
            if (!(error as { retriable?: boolean }).retriable || tries > 50) throw error;
          }
        }
      });
      await Promise.all(bodies.map((body) => body()));
      const onLog = await idsOnLog();
      expect(onLog.length).toBeGreaterThan(100);
      expect(new Set(onLog).size).toBe(onLog.length);
      const next = open({ slots: 2, state: parts.oneStore });
      expect(await record(next, 'next', onLog)).toEqual(onLog.map(() => 'duplicate'));
      expect(await idsOnLog()).toEqual(onLog);
    },
  );

  test('no attempt is ever left open', async () => {
    const claims = open({ slots: 1, state: parts.oneStore });
    await record(claims, 'first', [1, 2, 3]);
    expect(await parts.state.scan('ids/00', { prefix: 'p/', limit: 10 })).toEqual([]);
    expect(await parts.state.scan('ids/00', { prefix: 'b/', limit: 10 })).toHaveLength(1);
    expect(await record(open({ slots: 1, state: parts.oneStore }), 'second', [1, 4])).toEqual(['duplicate', 'new']);
  });

  test('what another intake claimed meanwhile is a duplicate: all of the body is looked at again', async () => {
    const [first, second] = [open({ slots: 1, state: parts.oneStore }), open({ slots: 1, state: parts.oneStore })];
    let asked = 0;
    await record(first, 'before', [9]);
    await first.record?.('late', [claimOf(1), claimOf(2)], startMs, async (answers) => {
      if (asked++ === 0) await record(second, 'quick', [2]);
      return recordsOf([1, 2], answers);
    });
    expect(asked).toBe(2);
    expect((await idsOnLog()).toSorted((one, other) => one - other)).toEqual([1, 2, 9]);
  });

  test('what fails before it is written is new the next time', async () => {
    const claims = open({ slots: 2, state: parts.oneStore });
    const failing = claims.record?.('first', [claimOf(1), claimOf(2)], startMs, () => Promise.reject(new Error('no frames')));
    await expect(failing).rejects.toThrow('no frames');
    expect(await record(claims, 'second', [1, 2])).toEqual(['new', 'new']);
    expect(await idsOnLog()).toEqual([1, 2]);
  });

  async function record(claims: Claims, attempt: string, ids: readonly number[]): Promise<string[]> {
    let answered: readonly ClaimAnswer[] = [];
    await claims.record?.(
      attempt,
      ids.map((id) => claimOf(id)),
      startMs,
      async (answers) => {
        answered = answers;
        // Others get their turn between the look and the write, as while frames are made.
        await nextTurn();
        return recordsOf(ids, answers);
      },
    );
    return answered.map(({ kind }) => kind);
  }

  function recordsOf(ids: readonly number[], answers: readonly ClaimAnswer[]) {
    return ids
      .filter((_, i) => answers[i]?.kind === 'new' || answers[i]?.kind === 'again')
      .map((id) => ({ topic: 'transactions', partition: 0, value: Buffer.from(`${id}`) }) as const);
  }

  async function idsOnLog(): Promise<number[]> {
    return (await valuesOn(parts.log, 'transactions', 0)).map((value) => Number(Buffer.from(value).toString()));
  }
});

describe('memory is bounded', () => {
  test('beyond the claims held, what may be old is taken again for the scorer to look, what is young is new', async () => {
    const claims = open({ claimsMax: 400, slots: 1 });
    for (let body = 0; body < 10; body++)
      await take(claims, range(body * 100, 100, startMs + body * dayMs), startMs + body * dayMs);
    expect(await kinds(claims, range(0, 100, startMs))).toEqual(Array(100).fill('again'));
    expect(await kinds(claims, range(900, 100, startMs + 9 * dayMs))).toEqual(Array(100).fill('duplicate'));
    expect(
      await kinds(claims, [
        { ...claimOf(5_000), timeMs: startMs + 9 * dayMs },
        { ...claimOf(5_001), timeMs: startMs },
      ]),
    ).toEqual(['new', 'again']);
  });

  test('what is not held any more leaves the store, and a restart still knows that it was there', async () => {
    const claims = open({ claimsMax: 400, slots: 1 });
    for (let body = 0; body < 10; body++)
      await take(claims, range(body * 100, 100, startMs + body * dayMs), startMs + body * dayMs);
    // Of four generations of 100 the youngest has just begun.
    expect(await claims.sweep(0)).toBe(700);
    const next = open({ claimsMax: 400, slots: 1 });
    expect(await kinds(next, range(0, 100, startMs))).toEqual(Array(100).fill('again'));
    expect(await kinds(next, range(900, 100, startMs + 9 * dayMs))).toEqual(Array(100).fill('duplicate'));
  });

  test('a sweep on a store in use disturbs nobody', async () => {
    const [first, second] = [open({ slots: 1 }), open({ slots: 1 })];
    await take(first, range(0, 3));
    await take(second, range(3, 3, startMs + 40 * dayMs), startMs + 40 * dayMs);
    const [swept, answers] = await Promise.all([
      first.sweep(dayNumber(startMs) + 1),
      kinds(second, range(3, 4, startMs + 40 * dayMs)),
    ]);
    expect(swept === 0 || swept === 3).toBe(true);
    expect(answers).toEqual(['duplicate', 'duplicate', 'duplicate', 'new']);
    expect(swept + (await first.sweep(dayNumber(startMs) + 1))).toBe(3);
  });
});

function open(options: Partial<Parameters<typeof createClaims>[0]> = {}): Claims {
  return createClaims({ state: parts.state, slots: 3, claimsMax: 100_000, futureMsMax: 120_000, newId: randomUUID, ...options });
}

async function kinds(claims: Claims, wanted: readonly Claim[]): Promise<string[]> {
  const attempt = `attempt-${attempts++}`;
  const answers = await claims.claim(attempt, wanted, startMs + 9 * dayMs);
  await claims.finish(attempt);
  return answers.map(({ kind }) => kind);
}

async function take(claims: Claims, wanted: readonly Claim[], receivedAtMs = startMs): Promise<void> {
  const attempt = `attempt-${attempts++}`;
  const answers = await claims.claim(attempt, wanted, receivedAtMs);
  expect(answers.every(({ kind }) => kind === 'new')).toBe(true);
  await claims.finish(attempt);
}

function range(from: number, count: number, timeMs = startMs): Claim[] {
  return Array.from({ length: count }, (_, i) => ({ ...claimOf(from + i), timeMs }));
}

function claimOf(id: number): Claim {
  return {
    identityLow: Math.imul(id + 1, 0x9e3779b1),
    identityHigh: Math.imul(id, 0x85ebca6b) ^ (id << 3),
    contentLow: id,
    contentHigh: 7,
    timeMs: startMs,
  };
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
