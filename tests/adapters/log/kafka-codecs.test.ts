import { compress as packZstd } from '@mongodb-js/zstd';
import fc from 'fast-check';
import { compressFrame } from 'lz4-napi';
import { compress as packSnappy } from 'snappy';
import { describe, expect, it } from 'vitest';
import { codecNumber, packRecords, unpackRecords } from '../../../src/adapters/log/kafka/codecs.js';
import { lz4BytesMax, snappyBlocks, zstdBytesMax } from '../../../src/adapters/log/kafka/packed-size.js';

const [gzip, snappy, lz4, zstd] = [1, 2, 3, 4];
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 3_000 }).map((bytes) => Buffer.from(bytes)),
  fc.tuple(fc.string({ minLength: 1, maxLength: 30 }), fc.nat(30_000)).map(([text, times]) => Buffer.alloc(times * 20, text)),
);

/** As Java's clients write it. */
async function framedSnappy(records: Buffer, blockBytes: number): Promise<Buffer> {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  const blocks: Buffer[] = [];
  for (let at = 0; at < records.length; at += blockBytes) {
    const block = await packSnappy(records.subarray(at, at + blockBytes));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    blocks.push(length, block);
  }
  return Buffer.concat([header, ...blocks]);
}

/** Zstandard says "this byte so many times" in four bytes. */
function zstdOfOneByte(times: number, blocks: number): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
  const body = Array.from({ length: blocks }, (_, i) => {
    const block = Buffer.alloc(4, 'x');
    block.writeUIntLE((times << 3) | (1 << 1) | (i === blocks - 1 ? 1 : 0), 0, 3);
    return block;
  });
  return Buffer.concat([head, ...body]);
}

describe('the records of a batch', () => {
  it('come back as they were, whatever packed them', async () => {
    const check = fc.asyncProperty(anything, async (records) => {
      for (const how of ['none', 'gzip', 'lz4', 'zstd'] as const) {
        const packed = await packRecords(records, how);
        expect((await unpackRecords(packed, codecNumber(how))).equals(records)).toBe(true);
      }
      expect((await unpackRecords(await packSnappy(records), snappy)).equals(records)).toBe(true);
      expect((await unpackRecords(await framedSnappy(records, 7_000), snappy)).equals(records)).toBe(true);
    });
    await fc.assert(check, { numRuns: 40 });
  });

  it('are never reckoned smaller than they are', async () => {
    const check = fc.asyncProperty(anything, fc.integer({ min: 1, max: 19 }), async (records, level) => {
      expect(zstdBytesMax(await packZstd(records, level))).toBeGreaterThanOrEqual(records.length);
      expect(lz4BytesMax(await compressFrame(records))).toBeGreaterThanOrEqual(records.length);
      expect(lz4BytesMax(await compressFrame(records, { contentChecksum: true, blockChecksums: true }))).toBeGreaterThanOrEqual(
        records.length,
      );
      const blocks = snappyBlocks(await framedSnappy(records, 1_000));
      expect(blocks.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0)).toBe(records.length);
    });
    await fc.assert(check, { numRuns: 40 });
  });

  it('that claim to be far more than they may be are refused before any room is made', async () => {
    const zeros = Buffer.alloc(3_000_000);
    const packed: readonly (readonly [number, Buffer])[] = [
      [gzip, await packRecords(zeros, 'gzip')],
      [snappy, await packSnappy(zeros)],
      [snappy, await framedSnappy(zeros, 32_768)],
      [lz4, await packRecords(zeros, 'lz4')],
      [zstd, await packRecords(zeros, 'zstd')],
    ];
    for (const [codec, bytes] of packed) {
      expect(bytes.length).toBeLessThan(200_000);
      await expect(unpackRecords(bytes, codec, 1_000_000)).rejects.toThrow();
      expect((await unpackRecords(bytes, codec)).length).toBe(zeros.length);
    }
    // 33 GB in 64 KB.
    const startMs = performance.now();
    const bomb = zstdOfOneByte(2 ** 21 - 1, 16_000);
    expect(bomb.length).toBeLessThan(65_000);
    await expect(unpackRecords(bomb, zstd)).rejects.toThrow(/unpacks to more than 268435456 bytes/);
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect((await unpackRecords(zstdOfOneByte(1_000, 3), zstd)).toString()).toBe('x'.repeat(3_000));
  });

  it('that are cut off or of another format are refused', async () => {
    const records = Buffer.alloc(100_000, 'records of a batch ');
    const whole = new Map([
      [gzip, await packRecords(records, 'gzip')],
      [snappy, await framedSnappy(records, 32_768)],
      [lz4, await packRecords(records, 'lz4')],
      [zstd, await packRecords(records, 'zstd')],
    ]);
    for (const [codec, packed] of whole) {
      for (const length of [0, 1, 5, 12, packed.length - 1]) {
        const outcome = await unpackRecords(packed.subarray(0, length), codec).catch(() => null);
        // What a frame's end may be missing from must not come out as if it were whole.
        expect(outcome?.equals(records) ?? false, `${codec}, ${length}`).toBe(false);
      }
      for (const [other, bytes] of whole) if (other !== codec) await expect(unpackRecords(bytes, codec)).rejects.toThrow();
    }
    await expect(unpackRecords(records, 5)).rejects.toThrow(/codec 5 is none of Kafka's/);
  });
});
