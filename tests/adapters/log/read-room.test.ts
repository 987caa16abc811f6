import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createReadRoom } from '../../../src/adapters/log/read-room.js';
import type { LogBatch } from '../../../src/ports/log.js';
import { temporaryEmbedded } from '../../support/embedded.js';

describe('room for the records of a batch', () => {
  test('holds copies until it is cleared, however large they are', () => {
    const room = createReadRoom();
    const source = Buffer.alloc(300_000, 1);
    const sizes = [0, 1, 60_000, 10_000, 300_000, 5];
    for (let round = 1; round <= 3; round++) {
      source.fill(round);
      const held = sizes.map((size) => room.hold(source.subarray(0, size)));
      source.fill(0);
      expect(held.map((bytes) => [bytes.length, bytes.every((byte) => byte === round)])).toEqual(
        sizes.map((size) => [size, true]),
      );
      room.clear();
    }
  });

  test('is used again', () => {
    const room = createReadRoom();
    const first = room.hold(Buffer.from('one'));
    room.clear();
    expect(room.hold(Buffer.from('two')).buffer).toBe(first.buffer);
    expect(first.toString()).toBe('two');
  });
});

describe('a consumer that lets records go', () => {
  let parts: ReturnType<typeof temporaryEmbedded>;
  beforeEach(() => {
    parts = temporaryEmbedded();
  });
  afterEach(() => parts.remove());

  test('has each batch whole while it works on it, in the room of the one before', async () => {
    const values = Array.from({ length: 60 }, (_, n) => Buffer.alloc(1 + ((n * 7_919) % 40_000), n));
    for (const value of values) await parts.log.append([{ topic: 'warnings', partition: 0, value }]);
    const seen: { offset: number; value: string }[] = [];
    const places = new Set<ArrayBufferLike>();
    const membership = await parts.log.join('reader', 'warnings', async () => ({
      start: 'earliest' as const,
      limit: { recordsMax: 7, bytesMax: 2 ** 20 },
      letsGo: true,
      async process({ records }: LogBatch) {
        // Others read and write meanwhile: the library's own buffer is theirs.
        await parts.log.read('warnings', 0, 3, { recordsMax: 50, bytesMax: 2 ** 20 });
        for (const { offset, value } of records) {
          seen.push({ offset, value: Buffer.from(value).toString('latin1') });
          places.add(value.buffer);
        }
      },
      close: () => Promise.resolve(),
    }));
    await expect.poll(() => membership.lag()).toBe(0);
    await membership.leave();
    expect(seen).toEqual(values.map((value, offset) => ({ offset, value: value.toString('latin1') })));
    expect(places.size).toBeLessThan(6);
  });
});
