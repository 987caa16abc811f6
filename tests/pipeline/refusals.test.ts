import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeEvents } from '../../src/domain/event.js';
import { partitionOf } from '../../src/domain/partition.js';
import type { Refusal } from '../../src/domain/refusal.js';
import { CursorUnknown } from '../../src/pipeline/log-cursor.js';
import { createRefusals } from '../../src/pipeline/refusals.js';
import { rejectedEvent } from '../../src/pipeline/rejections.js';
import { temporaryEmbedded, testPartitions, type EmbeddedParts } from '../support/embedded.js';

const partitions = 3;
const startMs = Date.parse('2026-07-01T09:30:00+08:00');
const banks = ['102491002011', '103491000000', '301111111111'];

let parts: EmbeddedParts & { remove(): Promise<void> };
beforeEach(() => {
  parts = temporaryEmbedded({ ...testPartitions, rejected: partitions });
});
afterEach(() => parts.remove());

/** Refusals `from` to `to`, each bank's in records of up to three, as intake writes them. */
async function refuse(from: number, to: number): Promise<void> {
  for (const bank of banks) {
    const events = Array.from({ length: to - from }, (_, i) => from + i)
      .filter((n) => banks[n % banks.length] === bank)
      .map((n) => {
        const raw = `{"id":"p-${n}","payer":{"account":"6217000012345678"}}`;
        const said = { reason: 'invalid', field: 'amountFen', message: 'expected at least 1 fen' };
        return rejectedEvent({ bank, line: n + 1, ...said, id: `p-${n}`, raw }, 'huqi/intake', startMs + n * 1_000);
      });
    for (let at = 0; at < events.length; at += 3) {
      const value = encodeEvents({ producer: `intake/${bank}/${from}`, sequence: at, events: events.slice(at, at + 3) });
      await parts.log.append([{ topic: 'rejected', partition: partitionOf(bank, partitions), value }]);
    }
  }
}

async function all(limit: number, bank?: string, from?: string): Promise<{ items: Refusal[]; next: string }> {
  const items: Refusal[] = [];
  let after = from;
  for (;;) {
    const page = await createRefusals(parts.log).page({ after, bank, limit });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    if (page.items.length === 0 && page.next === after) return { items, next: page.next };
    after = page.next;
  }
}

const lines = (items: readonly Refusal[]): number[] => items.map(({ line }) => line).toSorted((a, b) => a - b);

test('every refusal is told once, whatever the page size, in the order of each bank, and later ones follow', async () => {
  await refuse(0, 40);
  for (const limit of [1, 2, 7, 500]) {
    const { items } = await all(limit);
    expect(lines(items)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
    for (const bank of banks) {
      const own = items.filter((item) => item.bank === bank).map(({ line }) => line);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
  }
  const { next } = await all(500);
  await refuse(40, 43);
  expect(lines((await all(2, undefined, next)).items)).toEqual([41, 42, 43]);
});

test('one bank’s are told by themselves', async () => {
  await refuse(0, 30);
  const { items } = await all(4, banks[1]);
  expect(items.map(({ line }) => line)).toEqual(Array.from({ length: 10 }, (_, i) => i * 3 + 2));
  expect(new Set(items.map(({ bank }) => bank))).toEqual(new Set([banks[1]]));
});

test('nothing of the record itself is told', async () => {
  await refuse(0, 1);
  expect((await all(10)).items).toEqual([
    {
      time: '2026-07-01T09:30:00+08:00',
      bank: banks[0],
      line: 1,
      reason: 'invalid',
      field: 'amountFen',
      message: 'expected at least 1 fen',
      id: 'p-0',
    },
  ]);
});

test('a cursor of another list is refused', async () => {
  await refuse(0, 3);
  for (const after of ['x', '0.0', '9.0_0.0_0.0'])
    await expect(createRefusals(parts.log).page({ after, limit: 10 })).rejects.toBeInstanceOf(CursorUnknown);
});
