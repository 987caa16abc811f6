/**
 * The claims that one attempt made in one slot, as they lie in the state store. Little-endian:
 * `version u8 · attempt length u8 · count u32 · received f64 · attempt · (identity low, high · content low, high: i32 each)*`.
 */
export interface ClaimBlock {
  readonly attempt: string;
  readonly receivedAtMs: number;
  readonly count: number;
  /** Four words a claim, in the order of the layout. */
  readonly words: Int32Array;
}

export const wordsPerClaim = 4;
const version = 1;
const headerBytes = 14;

export function encodeBlock({ attempt, receivedAtMs, count, words }: ClaimBlock): Uint8Array {
  const bytes = new Uint8Array(headerBytes + attempt.length + count * wordsPerClaim * 4);
  const data = new DataView(bytes.buffer);
  data.setUint8(0, version);
  data.setUint8(1, attempt.length);
  data.setUint32(2, count, true);
  data.setFloat64(6, receivedAtMs, true);
  for (let i = 0; i < attempt.length; i++) bytes[headerBytes + i] = attempt.charCodeAt(i);
  let at = headerBytes + attempt.length;
  for (let i = 0; i < count * wordsPerClaim; i++, at += 4) data.setInt32(at, words[i]!, true);
  return bytes;
}

/** Throws `RangeError` for bytes that are no such block: the store is damaged, nobody may go on without these claims. */
export function decodeBlock(bytes: Uint8Array): ClaimBlock {
  const { attempt, receivedAtMs, count, start } = readHeader(bytes);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = new Int32Array(count * wordsPerClaim);
  for (let i = 0, at = start; i < words.length; i++, at += 4) words[i] = data.getInt32(at, true);
  return { attempt, receivedAtMs, count, words };
}

/** Without the claims themselves. */
export function readHeader(bytes: Uint8Array): { attempt: string; receivedAtMs: number; count: number; start: number } {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headerBytes || data.getUint8(0) !== version) {
    throw new RangeError(
      `claims: expected a block of version ${version}, found ${bytes.length > 0 ? data.getUint8(0) : 'nothing'}; restore a copy of the store`,
    );
  }
  const start = headerBytes + data.getUint8(1);
  const count = data.getUint32(2, true);
  if (bytes.length !== start + count * wordsPerClaim * 4)
    throw new RangeError(`claims: a block of ${count} has ${bytes.length} bytes; restore a copy of the store`);
  return {
    attempt: String.fromCharCode(...bytes.subarray(headerBytes, start)),
    receivedAtMs: data.getFloat64(6, true),
    count,
    start,
  };
}
