/**
 * HalfSipHash-2-4 with 64 bits of result (Aumasson and Bernstein, the 32-bit member of the SipHash family): a keyed hash, so
 * that nobody who does not know the key can choose texts that collide.
 */
export interface HashKey {
  readonly low: number;
  readonly high: number;
}

/** Result of the last `keyedHash`: two 32-bit halves. */
export const hashed = new Int32Array(2);

/** Hashes `bytes[0, length)` into `hashed`. */
export function keyedHash(bytes: Uint8Array, length: number, { low, high }: HashKey): void {
  v0 = low;
  v1 = high ^ 0xee;
  v2 = 0x6c796765 ^ low;
  v3 = 0x74656462 ^ high;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    absorb(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
  }
  let last = length << 24;
  for (let at = whole, shift = 0; at < length; at++, shift += 8) last |= bytes[at]! << shift;
  absorb(last);
  v2 ^= 0xee;
  mix();
  mix();
  mix();
  mix();
  hashed[0] = v1 ^ v3;
  v1 ^= 0xdd;
  mix();
  mix();
  mix();
  mix();
  hashed[1] = v1 ^ v3;
}

let v0 = 0;
let v1 = 0;
let v2 = 0;
let v3 = 0;

function absorb(word: number): void {
  v3 ^= word;
  mix();
  mix();
  v0 ^= word;
}

function mix(): void {
  v0 = (v0 + v1) | 0;
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
  v0 = (v0 << 16) | (v0 >>> 16);
  v2 = (v2 + v3) | 0;
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
  v0 = (v0 + v3) | 0;
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
  v2 = (v2 + v1) | 0;
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
  v2 = (v2 << 16) | (v2 >>> 16);
}
