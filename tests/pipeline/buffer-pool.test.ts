import { expect, test } from 'vitest';
import { createBufferPool } from '../../src/pipeline/buffer-pool.js';

const kib = 1024;

test('a buffer that was given back serves the next one of its size, and no two at once', () => {
  const pool = createBufferPool(1_024 * kib);
  const first = pool.take(100 * kib);
  expect(first.length).toBe(128 * kib);
  expect(pool.take(100 * kib)).not.toBe(first);
  pool.give(first);
  expect(pool.take(40 * kib)).not.toBe(first);
  expect(pool.take(65 * kib)).toBe(first);
  expect(pool.take(65 * kib)).not.toBe(first);
});

test('small ones and what is more than may lie ready are left to the collector', () => {
  const pool = createBufferPool(256 * kib);
  const small = pool.take(100);
  expect(small.length).toBe(100);
  pool.give(small);
  expect(pool.take(100)).not.toBe(small);
  const buffers = [pool.take(128 * kib), pool.take(128 * kib), pool.take(128 * kib)];
  for (const buffer of buffers) pool.give(buffer);
  const again = [pool.take(128 * kib), pool.take(128 * kib), pool.take(128 * kib)];
  expect(again.filter((buffer) => buffers.includes(buffer))).toHaveLength(2);
});
