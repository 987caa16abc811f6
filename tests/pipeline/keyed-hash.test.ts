import { expect, test } from 'vitest';
import { hashed, keyedHash } from '../../src/pipeline/keyed-hash.js';

const key = { low: 0x03020100, high: 0x07060504 };

test('gives what the reference implementation gives for the empty input', () => {
  // First vector of `vectors_hsip64`: key 00…07, no input.
  expect(hashOf(new Uint8Array(0))).toBe('218d1f59b9b83cc8');
});

test('every length, every byte and every key makes another hash', () => {
  const seen = new Set<string>();
  for (let length = 0; length <= 80; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => i);
    seen.add(hashOf(bytes));
    for (let i = 0; i < length; i++) seen.add(hashOf(bytes.with(i, 200)));
    keyedHash(bytes, length, { ...key, high: 1 });
    seen.add([...hashed].join());
  }
  expect(seen.size).toBe(2 * 81 + (80 * 81) / 2);
});

function hashOf(bytes: Uint8Array): string {
  keyedHash(bytes, bytes.length, key);
  return Buffer.from(hashed.buffer.slice(0)).toString('hex');
}
