import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFeedChannel, createWarningFeed, CursorUnknown, type WarningFeed } from '../../../src/adapters/channel/feed.js';
import { createLmdbLog } from '../../../src/adapters/log/lmdb.js';
import { openEnvironment, type LmdbEnvironment } from '../../../src/adapters/lmdb-environment.js';
import { topics, type Log, type Topic } from '../../../src/ports/log.js';
import { makeWarning } from '../../http/support.js';
import { temporaryDirectory, type TemporaryDirectory } from '../temporary-directory.js';

let directory: TemporaryDirectory;
let environment: LmdbEnvironment;
let log: Log;
let feed: WarningFeed;

beforeEach(() => {
  directory = temporaryDirectory();
  environment = openEnvironment({ directory: directory.path });
  log = createLmdbLog(environment, {
    partitions: Object.fromEntries(topics.map((topic) => [topic, 3])) as Record<Topic, number>,
  });
  feed = createWarningFeed(log);
});
afterEach(async () => {
  await log.close();
  await environment.close();
  directory.remove();
});

/** Appends warning number `n` to a partition, raised at second `n`. */
const raise = (n: number, partition: number, type = 'warning.raised') =>
  log.append([
    {
      topic: 'warnings',
      partition,
      value: Buffer.from(
        JSON.stringify({
          id: `e${n}`,
          type,
          source: 'huqi/warn',
          subject: `w${n}`,
          time: new Date(n * 1000).toISOString(),
          data: makeWarning(`w${n}`),
        }),
      ),
    },
  ]);

const ids = (items: readonly { warning: { id: string } }[]) => items.map(({ warning }) => warning.id);

test('warnings of all partitions come in the order they were raised', async () => {
  await raise(1, 2);
  await raise(2, 0);
  await raise(3, 2);
  await raise(4, 1);
  expect(ids((await feed.read(undefined, 10)).items)).toEqual(['w1', 'w2', 'w3', 'w4']);
});

test('whatever item a reader stops at, its cursor gives the rest without gap or repeat', async () => {
  for (let n = 1; n <= 12; n++) await raise(n, n % 3);
  const all = (await feed.read(undefined, 100)).items;
  expect(all).toHaveLength(12);
  for (const [i, { cursor }] of all.entries()) {
    expect(ids((await feed.read(cursor, 100)).items)).toEqual(ids(all.slice(i + 1)));
  }
});

test('events that are not a raised or changed warning are passed over, and reading still goes on', async () => {
  await raise(1, 0, 'warning.counted');
  await raise(2, 0);
  const first = await feed.read(undefined, 1);
  const second = await feed.read(first.cursor, 1);
  expect(ids([...first.items, ...second.items])).toEqual(['w2']);
});

test('a waiting reader is woken by a warning of any partition, and by the time-out', async () => {
  const { cursor } = await feed.read(undefined, 10);
  const never = new AbortController().signal;
  expect(await feed.wait(cursor, 20, never)).toBe(false);
  const waiting = feed.wait(cursor, 5_000, never);
  await raise(1, 2);
  expect(await waiting).toBe(true);
  const stop = new AbortController();
  const stopped = feed.wait((await feed.read(cursor, 10)).cursor, 5_000, stop.signal);
  stop.abort();
  expect(await stopped).toBe(false);
});

test('the tail leaves at least as many as asked for, or nothing', async () => {
  for (let n = 1; n <= 9; n++) await raise(n, n % 3);
  expect((await feed.read(await feed.tail(0), 100)).items).toEqual([]);
  expect((await feed.read(await feed.tail(2), 100)).items.length).toBeGreaterThanOrEqual(2);
  expect((await feed.read(await feed.tail(100), 100)).items).toHaveLength(9);
});

test.each(['x', '1.2', '1.2.3.4', '-1.0.0', '1.5.0.0'])('a cursor of another feed (%s) is refused', async (cursor) => {
  await expect(feed.read(cursor, 1)).rejects.toThrow(CursorUnknown);
});

test('a cursor whose records are gone is refused as out of range', async () => {
  for (let n = 1; n <= 3; n++) await raise(n, 0);
  await log.trim('warnings', 0, 2);
  await expect(feed.read('0.0.0', 10)).rejects.toMatchObject({ name: 'OffsetOutOfRange' });
});

test('the feed as a channel records a warning as shown', async () => {
  const target = { recipient: 'centre', url: '', secret: '' };
  const message = { deliveryId: 'd', event: 'warning.raised' as const, warning: makeWarning('w1'), target };
  expect(await createFeedChannel().deliver(message, new AbortController().signal)).toMatchObject({ kind: 'delivered' });
});
