import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeEvents } from '../../src/domain/event.js';
import { createFeed, type Feed, type FeedItem } from '../../src/pipeline/feed.js';
import { CursorUnknown } from '../../src/pipeline/log-cursor.js';
import { OffsetOutOfRange } from '../../src/ports/log.js';
import { temporaryEmbedded, testPartitions, type EmbeddedParts } from '../support/embedded.js';
import { tell, warningOf } from './dispatch-support.js';

const settings = { pageMax: 100, cachedFramesMax: 64 };
let parts: EmbeddedParts & { remove(): Promise<void> };
let feed: Feed;
beforeEach(() => {
  parts = temporaryEmbedded({ ...testPartitions, warnings: 3 });
  feed = createFeed({ log: parts.log, settings });
});
afterEach(() => parts.remove());

const subjectOf = (i: number) => ({ ...warningOf('x').subject, key: `subject-${i % 7}` });
const warningAt = (i: number) =>
  warningOf(`w${i}`, {
    subject: subjectOf(i),
    raisedAt: `2026-07-01T09:${String(Math.floor(i / 60)).padStart(2, '0')}:${String(i % 60).padStart(2, '0')}+08:00`,
  });
const names = (items: readonly FeedItem[]) => items.map(({ warning }) => `${warning.id}#${warning.revision}`);

async function readAll(from: string | undefined, limit: number, reader = feed): Promise<{ seen: string[]; cursor: string }> {
  const seen: string[] = [];
  let cursor = from;
  for (;;) {
    const page = await reader.read(cursor, limit);
    seen.push(...names(page.items));
    cursor = page.cursor;
    if (page.items.length === 0) return { seen, cursor };
  }
}

/** Several warnings in one record, as the warn consumer writes them. */
async function tellTogether(ids: readonly string[], sequence: number): Promise<void> {
  const events = ids.map((id) => {
    const warning = warningOf(id);
    return { id: `${id}#1`, type: 'warning.raised', source: 'huqi/warn/0', subject: id, time: warning.raisedAt, data: warning };
  });
  await parts.log.append([{ topic: 'warnings', partition: 0, value: encodeEvents({ producer: 'warn/0', sequence, events }) }]);
}

describe('the feed', () => {
  test('gives every warning once, oldest first, whatever the page size', async () => {
    await tell(parts.log, ...Array.from({ length: 50 }, (_, i) => warningAt(i)));
    const expected = Array.from({ length: 50 }, (_, i) => `w${i}#1`);
    expect((await feed.read(undefined, 100)).items.map(({ warning }) => `${warning.id}#1`)).toEqual(expected);
    for (const limit of [1, 3, 7]) expect((await readAll(undefined, limit)).seen.sort()).toEqual([...expected].sort());
  });

  test('goes on after any item without a gap and without a repeat, after a restart as well', async () => {
    await tellTogether(['a', 'b', 'c', 'd', 'e'], 1);
    await tellTogether(['f', 'g'], 2);
    const { items } = await feed.read(undefined, 100);
    for (const [i, item] of items.entries()) {
      expect(item.cursor).toMatch(/^[A-Za-z0-9._:~-]{1,200}$/);
      const restarted = createFeed({ log: parts.log, settings });
      expect((await readAll(item.cursor, 2, restarted)).seen).toEqual(names(items).slice(i + 1));
    }
  });

  test('a frame that a restarted producer says again is shown once, also to a reader that came in between', async () => {
    await tellTogether(['a', 'b'], 1);
    const { cursor } = await feed.read(undefined, 100);
    await tellTogether(['a', 'b'], 1);
    await tellTogether(['c'], 2);
    const restarted = createFeed({ log: parts.log, settings });
    expect((await readAll(cursor, 10, restarted)).seen).toEqual(['c#1']);
    expect((await readAll(undefined, 10, restarted)).seen).toEqual(['a#1', 'b#1', 'c#1']);
  });

  test('from now on gives only what comes after', async () => {
    await tell(parts.log, warningAt(0), warningAt(1));
    const now = await feed.tail(0);
    expect((await feed.read(now, 10)).items).toEqual([]);
    await tell(parts.log, warningAt(2));
    expect((await readAll(now, 10)).seen).toEqual(['w2#1']);
  });

  test('the last few can be asked for, also from the middle of a record', async () => {
    await tellTogether(['a', 'b', 'c', 'd', 'e'], 1);
    await tellTogether(['f'], 2);
    expect((await readAll(await feed.tail(3), 10)).seen).toEqual(['d#1', 'e#1', 'f#1']);
    expect((await readAll(await feed.tail(100), 10)).seen).toHaveLength(6);
  });

  test('wakes a waiting reader when a warning comes, in whichever partition, and not before', async () => {
    const { cursor } = await feed.read(undefined, 10);
    expect(await feed.wait(cursor, 30, new AbortController().signal)).toBe(false);
    const waiting = feed.wait(cursor, 10_000, new AbortController().signal);
    await tell(parts.log, warningAt(3));
    expect(await waiting).toBe(true);
    const stop = new AbortController();
    const stopped = feed.wait(await feed.tail(0), 10_000, stop.signal);
    stop.abort();
    expect(await stopped).toBe(false);
  });

  test('a page is never longer than its bound', async () => {
    await tell(parts.log, ...Array.from({ length: 120 }, (_, i) => warningAt(i)));
    expect((await feed.read(undefined, 1_000_000)).items).toHaveLength(settings.pageMax);
  });

  test('a cursor that is not one of this feed is refused, and one whose records are gone says so', async () => {
    for (const cursor of ['', 'x', '1.0', '0.0_0.0', '9.0_0.0_0.0', '-1.0_0.0_0.0', '0.0_0.0_0.0_0.0', '1e3.0_0.0_0.0']) {
      await expect(feed.read(cursor, 10)).rejects.toBeInstanceOf(CursorUnknown);
    }
    const start = (await feed.read(undefined, 1)).cursor;
    await tellTogether(['a'], 1);
    await tellTogether(['b'], 2);
    await parts.log.trim('warnings', 0, 1);
    await expect(feed.read(start, 10)).rejects.toBeInstanceOf(OffsetOutOfRange);
  });
});
