/**
 * How much packed bytes unpack to at most, by the headers of their blocks alone: a few bytes can stand for gigabytes, and who writes to
 * a topic need not be a friend. Each function throws a `RangeError` where the bytes end too early or are of another format.
 */

const snappyFramed = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** Magic, version and oldest version that can read it. */
const snappyHeaderBytes = 16;

export interface SnappyBlock {
  readonly bytes: Buffer;
  readonly unpackedBytes: number;
}

/** Java's clients write blocks of snappy with a length (u32, big end first) before each; others write one block alone. */
export function snappyBlocks(packed: Buffer): SnappyBlock[] {
  if (!packed.subarray(0, snappyFramed.length).equals(snappyFramed)) return [snappyBlock(packed)];
  const blocks: SnappyBlock[] = [];
  for (let at = snappyHeaderBytes; at < packed.length;) {
    const length = packed.readUInt32BE(at);
    at += 4;
    if (at + length > packed.length) throw new RangeError('a block of snappy ends behind the batch');
    blocks.push(snappyBlock(packed.subarray(at, at + length)));
    at += length;
  }
  return blocks;
}

/** A block begins with its unpacked length, a varint. */
function snappyBlock(bytes: Buffer): SnappyBlock {
  let unpackedBytes = 0;
  for (let at = 0; at < 5; at++) {
    const byte = bytes.readUInt8(at);
    unpackedBytes += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return { bytes, unpackedBytes };
  }
  throw new RangeError('a block of snappy has no length');
}

const lz4Magic = 0x184d2204;
const lz4Flag = { blockChecksums: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionary: 0x01 } as const;
const lz4Stored = 0x8000_0000;

/** LZ4's frames: blocks of at most 64 KB, 256 KB, 1 MB or 4 MB, as the header says, up to one of no length. */
export function lz4BytesMax(packed: Buffer): number {
  let bytes = 0;
  for (let at = 0; at < packed.length;) {
    if (packed.readUInt32LE(at) !== lz4Magic) throw new RangeError('it is no frame of LZ4');
    const flags = packed.readUInt8(at + 4);
    const blockBytesMax = 2 ** (8 + 2 * ((packed.readUInt8(at + 5) >> 4) & 7));
    at += 7 + ((flags & lz4Flag.contentSize) !== 0 ? 8 : 0) + ((flags & lz4Flag.dictionary) !== 0 ? 4 : 0);
    for (;;) {
      const size = packed.readUInt32LE(at);
      at += 4;
      if (size === 0) break;
      const length = size % lz4Stored;
      bytes += size >= lz4Stored ? length : blockBytesMax;
      at += length + ((flags & lz4Flag.blockChecksums) !== 0 ? 4 : 0);
    }
    at += (flags & lz4Flag.contentChecksum) !== 0 ? 4 : 0;
  }
  return bytes;
}

const zstdMagic = 0xfd2fb528;
/** Frames that hold nothing for whoever unpacks: sixteen magic numbers from this one on. */
const zstdSkippable = 0x184d2a50;
const zstdBlockBytesMax = 128 * 1_024;
const zstdBlock = { raw: 0, repeated: 1, compressed: 2 } as const;

/** Zstandard's frames (RFC 8878): blocks of at most 128 KB, of which those that repeat one byte say how often. */
export function zstdBytesMax(packed: Buffer): number {
  let bytes = 0;
  for (let at = 0; at < packed.length;) {
    const magic = packed.readUInt32LE(at);
    if (magic - (magic % 16) === zstdSkippable) {
      at += 8 + packed.readUInt32LE(at + 4);
      continue;
    }
    if (magic !== zstdMagic) throw new RangeError('it is no frame of Zstandard');
    const descriptor = packed.readUInt8(at + 4);
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
    at += 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]! + contentSizeBytes;
    for (let isLast = false; !isLast;) {
      const header = packed.readUIntLE(at, 3);
      const size = header >> 3;
      const type = (header >> 1) & 3;
      isLast = (header & 1) === 1;
      bytes += type === zstdBlock.compressed ? zstdBlockBytesMax : size;
      at += 3 + (type === zstdBlock.repeated ? 1 : size);
    }
    at += (descriptor & 0x04) !== 0 ? 4 : 0;
  }
  return bytes;
}
