import { expect, it } from 'vitest';
import { workOnPartition } from '../../../src/adapters/log/kafka/partition-work.js';
import type { LogBatch, ReadLimit } from '../../../src/ports/log.js';

const limit: ReadLimit = { recordsMax: 8, bytesMax: 1_000 };

/** What is read and processed, in order, of a partition whose batches hold so many records of so many bytes. */
async function orderOf(batches: readonly { readonly records: number; readonly bytes: number }[]): Promise<string[]> {
  const order: string[] = [];
  const leaving = new AbortController();
  let reads = 0;
  const source = {
    first: () => Promise.resolve(0),
    waitFor: () => Promise.resolve(true),
    read: (from: number): Promise<LogBatch> => {
      const next = batches[reads++];
      order.push(`read ${from}`);
      if (!next) {
        leaving.abort();
        return Promise.resolve({ records: [], next: from });
      }
      const records = Array.from({ length: next.records }, (_, i) => ({ offset: from + i, value: new Uint8Array(next.bytes) }));
      return Promise.resolve({ records, next: from + next.records });
    },
  };
  await workOnPartition(
    {
      source,
      signal: leaving.signal,
      mayBegin: () => Promise.resolve(),
      onOpen: () => undefined,
      onPosition: () => undefined,
      open: () =>
        Promise.resolve({
          start: 'earliest',
          limit,
          process: async ({ next }) => {
            order.push(`begin ${next}`);
            await Promise.resolve();
            order.push(`end ${next}`);
          },
          close: () => Promise.resolve(),
        }),
    },
    () => undefined,
  );
  return order;
}

it('reads ahead while a large batch is worked on: there is more', async () => {
  const ofRecords = { records: 4, bytes: 1 };
  expect(await orderOf([ofRecords])).toEqual(['read 0', 'read 4', 'begin 4', 'end 4']);
  const ofBytes = { records: 1, bytes: 500 };
  expect(await orderOf([ofBytes])).toEqual(['read 0', 'read 1', 'begin 1', 'end 1']);
});

it('reads after a small batch, so that all that came in meanwhile is the next one', async () => {
  const small = { records: 3, bytes: 100 };
  expect(await orderOf([small, small])).toEqual(['read 0', 'begin 3', 'end 3', 'read 3', 'begin 6', 'end 6', 'read 6']);
});
