/** How keys find their partition. The same for ever: a changed hash would tear a subject's history apart. */

const offsetBasis = 0x811c9dc5 | 0;
const prime = 0x01000193;
const encoder = new TextEncoder();

/** Partition of a key: 32-bit FNV-1a over its UTF-8 bytes, unsigned, modulo. Accounts, subject keys and credit codes alike. */
export function partitionOf(key: string, partitions: number): number {
  return partitionOfHash(hashText(key), partitions);
}

/** The same for a hash already computed, such as `PartyView.accountHash`. */
export function partitionOfHash(hash: number, partitions: number): number {
  return (hash >>> 0) % partitions;
}

function hashText(key: string): number {
  let hash = offsetBasis;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code > 0x7f) return hashUtf8(key);
    hash = Math.imul(hash ^ code, prime);
  }
  return hash;
}

function hashUtf8(key: string): number {
  let hash = offsetBasis;
  for (const byte of encoder.encode(key)) hash = Math.imul(hash ^ byte, prime);
  return hash;
}
