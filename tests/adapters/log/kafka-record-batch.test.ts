import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '@node-rs/crc32';
import type { Compression } from '../../../src/adapters/log/kafka/codecs.js';
import { createLeftovers } from '../../../src/adapters/log/kafka/leftovers.js';
import { decodeBatches, encodeBatch } from '../../../src/adapters/log/kafka/record-batch.js';

const origin = { producerId: 7n, producerEpoch: 1, firstSequence: 3 };
/** As the broker keeps it: its own base offset is not under the checksum. */
async function batchAt(offset: number, values: readonly Uint8Array[], compression: Compression = 'none'): Promise<Buffer> {
  const batch = await encodeBatch(values, origin, 1_782_869_400_000, compression);
  batch.writeBigInt64BE(BigInt(offset), 0);
  return batch;
}
const bytes = (text: string) => Buffer.from(text);

describe('a record batch', () => {
  it('has the checksum of the standard', () => {
    expect(crc32c(bytes('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(0))).toBe(0);
  });

  it('gives back what went in, packed or not, with the offset of each record', async () => {
    const values = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 200 });
    const check = fc.asyncProperty(
      values,
      fc.constantFrom<Compression[]>('none', 'gzip', 'lz4', 'zstd'),
      async (some, compression) => {
        const { records, next } = await decodeBatches(await batchAt(1_000, some, compression), 0, 'hits/0');
        expect(records.map(({ value }) => [...value])).toEqual(some.map((value) => [...value]));
        expect(records.map(({ offset }) => offset)).toEqual(some.map((_, i) => 1_000 + i));
        expect(next).toBe(1_000 + some.length);
      },
    );
    await fc.assert(check, { numRuns: 50 });
  });

  it('leaves out what lies before the asked offset, and a last batch that is cut off', async () => {
    const first = await batchAt(10, ['a', 'b', 'c'].map(bytes));
    const second = await batchAt(20, [bytes('d')]);
    const cut = Buffer.concat([first, second.subarray(0, second.length - 1)]);
    const { records, next } = await decodeBatches(cut, 11, 'hits/0');
    expect(records.map(({ offset, value }) => [offset, String(value)])).toEqual([
      [11, 'b'],
      [12, 'c'],
    ]);
    expect(next).toBe(13);
    expect(await decodeBatches(first.subarray(0, 70), 10, 'hits/0')).toEqual({ records: [], next: null });
  });

  it('refuses a batch of which one bit has changed', async () => {
    const batch = await batchAt(0, [bytes('a transaction')]);
    batch[batch.length - 3]! ^= 1;
    await expect(decodeBatches(batch, 0, 'hits/0')).rejects.toThrow(/hits\/0: the batch at offset 0 is damaged/);
  });

  it('says where records are that cannot be unpacked', async () => {
    for (const codec of [1, 2, 3, 4, 5]) {
      const batch = await batchAt(7, [bytes('no packed records')]);
      batch.writeInt16BE(codec, 21);
      batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
      await expect(decodeBatches(batch, 0, 'incoming/0')).rejects.toThrow(
        /^Kafka: incoming\/0: the batch at offset 7 cannot be unpacked: ./,
      );
    }
  });
});

describe('what a fetch brought beyond a read', () => {
  it('is given to the read that goes on there, once, and forgotten with its partition', () => {
    const leftovers = createLeftovers();
    const records = [5, 6, 7].map((offset) => ({ offset, value: Buffer.alloc(10) }));
    const limit = { recordsMax: 1, bytesMax: 100 };
    expect(leftovers.cut('hits/0', records, 9, limit)).toEqual({ records: records.slice(0, 1), next: 6 });
    expect(leftovers.take('hits/0', 7)).toBeUndefined();
    expect(leftovers.take('hits/0', 6)).toMatchObject({ records: records.slice(1), next: 9 });
    expect(leftovers.take('hits/0', 6)).toBeUndefined();
    leftovers.cut('hits/0', records, 9, limit);
    leftovers.drop('hits/0');
    expect(leftovers.take('hits/0', 6)).toBeUndefined();
  });

  it('is bounded', () => {
    const leftovers = createLeftovers();
    const limit = { recordsMax: 1, bytesMax: 1 };
    const large = (offset: number) => [0, 1].map((i) => ({ offset: offset + i, value: Buffer.alloc(12_000_000) }));
    for (const offset of [0, 10, 20]) leftovers.cut('hits/0', large(offset), offset + 2, limit);
    expect([1, 11, 21].map((offset) => leftovers.take('hits/0', offset) !== undefined)).toEqual([false, true, true]);
  });
});
