import { compress as packZstd, decompress as unpackZstd } from '@mongodb-js/zstd';
import { compressFrame, decompressFrame } from 'lz4-napi';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { uncompress as unpackSnappyBlock } from 'snappy';
import { lz4BytesMax, snappyBlocks, zstdBytesMax } from './packed-size.js';

/** How the records of a batch are packed: by everything that Kafka's clients can. HuQi itself packs by any of `Compression`. */

export type Compression = 'none' | 'gzip' | 'lz4' | 'zstd';

/** By the number in the batch's attributes. */
const codecNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
type Codec = (typeof codecNames)[number];

/** What a batch may unpack to; topics take 16 MiB packed. */
const unpackedBytesMax = 256 * 2 ** 20;
/** Room that is made at once for what gzip packs or unpacks. */
const pieceBytesMax = 4 * 2 ** 20;

export const codecNumber = (compression: Compression): number => codecNames.indexOf(compression);

export async function packRecords(records: Buffer, compression: Compression): Promise<Buffer> {
  switch (compression) {
    case 'none':
      return records;
    case 'gzip':
      return promisify(gzip)(records, { level: 1, chunkSize: pieceOf(records.length) });
    case 'lz4':
      return compressFrame(records);
    case 'zstd':
      return packZstd(records, 1);
  }
}

/** Throws where it is not packed like that, or would unpack to more than `bytesMax`: no room is made for it then. */
export async function unpackRecords(packed: Buffer, codec: number, bytesMax = unpackedBytesMax): Promise<Buffer> {
  const name = codecNames[codec];
  if (name === undefined) throw new RangeError(`codec ${codec} is none of Kafka's`);
  if (name === 'none') return packed;
  if (name === 'gzip') return promisify(gunzip)(packed, { maxOutputLength: bytesMax, chunkSize: pieceOf(gzippedBytes(packed)) });
  return unpackBounded(packed, name, bytesMax);
}

/** These libraries unpack whatever it makes; so it is reckoned before. */
async function unpackBounded(packed: Buffer, name: Exclude<Codec, 'none' | 'gzip'>, bytesMax: number): Promise<Buffer> {
  const assertFits = (bytes: number): void => {
    if (bytes > bytesMax) throw new RangeError(`it unpacks to more than ${bytesMax} bytes`);
  };
  if (name === 'snappy') {
    const blocks = snappyBlocks(packed);
    assertFits(blocks.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0));
    return Buffer.concat(await Promise.all(blocks.map(async ({ bytes }) => (await unpackSnappyBlock(bytes)) as Buffer)));
  }
  assertFits(name === 'lz4' ? lz4BytesMax(packed) : zstdBytesMax(packed));
  return name === 'lz4' ? decompressFrame(packed) : unpackZstd(packed);
}

/** What comes out is asked for in one piece, where it is not too large: joining many small ones takes longer than unpacking them. */
function pieceOf(bytes: number): number {
  return Math.min(Math.max(bytes, 1_024), pieceBytesMax);
}

/** What gzip says at its end; true of a single stream of less than 4 GiB, and only a guess here. */
function gzippedBytes(packed: Buffer): number {
  return packed.length < 4 ? 0 : packed.readUInt32LE(packed.length - 4) + 1;
}
