/** 53-bit keys of texts, for tables that must tell millions of them apart: two 32-bit hashes, 21 bits of the second. */

const basis = 0x811c9dc5 | 0;
const prime = 0x01000193;

/** `seed` tells kinds of keys apart; 0 stands for no key and is never given. */
export function keyOfBytes(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let one = basis ^ seed;
  let two = Math.imul(basis, seed + 3);
  for (let i = start; i < end; i++) {
    one = Math.imul(one ^ bytes[i]!, prime);
    two = Math.imul(two ^ bytes[i]!, 0x5bd1e995) ^ (two >>> 15);
  }
  return (one >>> 0) * 0x20_0000 + (two >>> 11) || 1;
}

const encoder = new TextEncoder();

export function keyOfText(seed: number, text: string): number {
  const bytes = encoder.encode(text);
  return keyOfBytes(seed, bytes, 0, bytes.length);
}
