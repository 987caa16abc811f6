import { compress, uncompress } from 'lz4-napi';
import { chunkBytesMax } from '../scoring/snapshot-codec.js';

/**
 * Chunks of a state as they are stored: LZ4 blocks with their length in front, packed and unpacked on threads of the library's
 * own. Deflate, which makes them a quarter smaller, took four times as long to pack them and three times to unpack.
 */
export interface PackedChunk {
  readonly bytes: Uint8Array;
  readonly unpackedBytes: number;
}

/** One after the other, from here or from another thread; ended early where nobody needs the rest. */
export type Chunks = AsyncGenerator<PackedChunk, void>;

/** Chunks that are packed at the same time. */
const packedAhead = 2;

/** Far more than any chunk has; what claims more is damaged, and no room is made for it. */
const unpackedBytesMax = chunkBytesMax * 16;
const lengthBytes = 4;

/** Packs chunks in their order. What is given must not change afterwards. */
export async function* packed(chunks: Iterable<Uint8Array>): Chunks {
  const ahead: Promise<PackedChunk>[] = [];
  for (const chunk of chunks) {
    const one = compress(chunk).then((bytes) => ({ bytes, unpackedBytes: chunk.length }));
    // Where an earlier one fails nobody waits for this one.
    one.catch(() => undefined);
    ahead.push(one);
    if (ahead.length >= packedAhead) yield await ahead.shift()!;
  }
  for (const one of ahead) yield await one;
}

/**
 * Unpacks several chunks at the same time: the first one is taken before all others, these as they come. Rejects with what
 * `take` throws.
 */
export function unpacking(take: (chunk: Uint8Array) => void): (stored: Uint8Array) => Promise<void> {
  let first: Promise<void> | undefined;
  return async (stored) => {
    const unpacked = unpack(stored);
    if (!first) return (first = unpacked.then(take));
    const chunk = await unpacked;
    await first;
    take(chunk);
  };
}

async function unpack(stored: Uint8Array): Promise<Uint8Array> {
  const { buffer, byteOffset, length } = stored;
  const claimed = length < lengthBytes ? Infinity : new DataView(buffer, byteOffset, length).getUint32(0, true);
  if (claimed > unpackedBytesMax) throw new RangeError('what was stored is no packed chunk');
  return uncompress(stored);
}
