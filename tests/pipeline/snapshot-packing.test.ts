import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { packed, unpacking } from '../../src/pipeline/snapshot-packing.js';

const chunks = [
  Buffer.from('directory'),
  Buffer.alloc(1_000_000, 'state '),
  randomBytes(300_000),
  Buffer.alloc(0),
  Buffer.from([1]),
];

async function packAll(of: Iterable<Uint8Array>): Promise<Uint8Array[]> {
  const stored: Uint8Array[] = [];
  for await (const { bytes, unpackedBytes } of packed(of)) {
    expect(unpackedBytes).toBe(chunks[stored.length]!.length);
    stored.push(bytes);
  }
  return stored;
}

describe('chunks of a snapshot', () => {
  test('come back as they were, in their order, and take less room', async () => {
    const stored = await packAll(chunks);
    expect(stored).toHaveLength(chunks.length);
    expect(stored[1]!.length).toBeLessThan(10_000);
    const taken: Buffer[] = [];
    const take = unpacking((chunk) => void taken.push(Buffer.from(chunk)));
    for (const one of stored) await take(one);
    expect(taken.map((chunk) => chunk.equals(chunks[taken.indexOf(chunk)]!))).toEqual(chunks.map(() => true));
  });

  test('are taken at the same time, but none before the first', async () => {
    const stored = await packAll(chunks);
    const taken: number[] = [];
    const take = unpacking((chunk) => void taken.push(chunk.length));
    await Promise.all(stored.map((one) => take(one)));
    expect(taken[0]).toBe(chunks[0]!.length);
    expect(taken.toSorted((a, b) => a - b)).toEqual(chunks.map(({ length }) => length).toSorted((a, b) => a - b));
  });

  test('what is no packed chunk, and what nobody can take, is refused; with the first one all are', async () => {
    const stored = await packAll(chunks);
    const damaged = [Buffer.from('no block of LZ4'), Buffer.from([1, 2]), stored[1]!.subarray(0, 1_000), Buffer.alloc(0)];
    for (const one of damaged) await expect(unpacking(() => undefined)(one)).rejects.toThrow();
    const take = unpacking(() => {
      throw new RangeError('not of this state');
    });
    const outcomes = await Promise.allSettled(stored.map((one) => take(one)));
    expect(outcomes.map(({ status }) => status)).toEqual(chunks.map(() => 'rejected'));
  });

  test('packing stops where nobody asks for more', async () => {
    let asked = 0;
    function* many(): Generator<Uint8Array> {
      for (;;) {
        asked++;
        yield Buffer.alloc(10);
      }
    }
    for await (const _ of packed(many())) if (asked > 4) break;
    expect(asked).toBeLessThan(8);
  });
});
