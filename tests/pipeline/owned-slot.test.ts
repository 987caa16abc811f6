import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { decodeEvents, type Event } from '../../src/domain/event.js';
import { openOwnedSlot } from '../../src/pipeline/owned-slot.js';
import { temporaryEmbedded, valuesOn } from '../support/embedded.js';

const bytesMax = 4 * 2 ** 20;

let parts: ReturnType<typeof temporaryEmbedded>;
beforeEach(() => {
  parts = temporaryEmbedded();
});
afterEach(() => parts.remove());

const open = () => openOwnedSlot({ ...parts, slot: 'warn/0', newId: randomUUID, head: z.object({}), initial: {} });

const eventOf = (id: number, characters: number): Event => ({
  id: `e-${id}`,
  type: 'warning.raised',
  source: 'huqi/warn/0',
  subject: `w-${id}`,
  time: '2026-07-01T10:00:00+08:00',
  data: { zh: '预'.repeat(characters), text: 'a "quoted" \\ one' },
});

const emit = (events: readonly Event[]) => events.map((event) => ({ topic: 'warnings' as const, partition: 0, event }));

test('what a commit says goes to the log in records that a broker takes, numbered on, in order and whole', async () => {
  const slot = await open();
  const many = Array.from({ length: 40 }, (_, n) => eventOf(n, 100_000));
  await slot.commit({ emit: emit(many) });
  await slot.commit({ emit: emit([eventOf(40, 1)]) });
  await slot.close();

  const values = await valuesOn(parts.log, 'warnings', 0);
  expect(Math.max(...values.map(({ length }) => length))).toBeLessThan(bytesMax * 1.1);
  expect(values.length).toBeGreaterThan(3);
  const frames = values.map((value) => decodeEvents(value));
  expect(frames.map(({ sequence }) => sequence)).toEqual(frames.map((_, n) => n + 1));
  expect(new Set(frames.map(({ producer }) => producer))).toEqual(new Set(['warn/0']));
  expect(frames.flatMap(({ events }) => events)).toEqual([...many, eventOf(40, 1)]);
});

test('numbers go on behind the last frame after the slot was opened again', async () => {
  const first = await open();
  await first.commit({ emit: emit(Array.from({ length: 30 }, (_, n) => eventOf(n, 100_000))) });
  await first.close();
  const second = await open();
  await second.commit({ emit: emit([eventOf(30, 1)]) });
  await second.close();
  const sequences = (await valuesOn(parts.log, 'warnings', 0)).map((value) => decodeEvents(value).sequence);
  expect(sequences).toEqual(sequences.map((_, n) => n + 1));
});
