/**
 * A frame: many transactions in one record of the `transactions` topic. Intake writes one frame per partition and batch;
 * each entry says which of its legs belong to this partition. Layout, little-endian:
 * `version u8 · count u32 · (roles u8 · flags u8 · receivedAtMs f64 · length u32 · JSON bytes)*`.
 * The JSON bytes are always readable by the fast reader (see `scoring/reader.ts`).
 */

/** Bits of `roles`: the partition owns the payer's account (debit leg), the payee's account (credit leg), or both. */
export const role = { debit: 1, credit: 2 } as const;
/** Bits of `flags`. `maybeResent`: an earlier try of the same record may be on the log already; the scorer looks before it counts. */
export const frameFlag = { maybeResent: 1 } as const;

const version = 1;
const headerBytes = 5;
const entryHeaderBytes = 14;

export interface FrameEntry {
  readonly roles: number;
  readonly flags: number;
  readonly receivedAtMs: number;
  /** Where the JSON lies in the frame's bytes. */
  readonly start: number;
  readonly end: number;
}

export interface FrameInput {
  readonly roles: number;
  readonly flags: number;
  readonly receivedAtMs: number;
  readonly json: Uint8Array;
}

export function encodeFrame(entries: readonly FrameInput[]): Uint8Array {
  let size = headerBytes;
  for (const entry of entries) size += entryHeaderBytes + entry.json.length;
  const bytes = new Uint8Array(size);
  const data = new DataView(bytes.buffer);
  data.setUint8(0, version);
  data.setUint32(1, entries.length, true);
  let at = headerBytes;
  for (const entry of entries) {
    data.setUint8(at, entry.roles);
    data.setUint8(at + 1, entry.flags);
    data.setFloat64(at + 2, entry.receivedAtMs, true);
    data.setUint32(at + 10, entry.json.length, true);
    bytes.set(entry.json, at + entryHeaderBytes);
    at += entryHeaderBytes + entry.json.length;
  }
  return bytes;
}

/** Walks a frame. Throws `RangeError` for a frame of another version or a torn one: the log is damaged, nobody may skip it. */
export function* readFrame(bytes: Uint8Array): Generator<FrameEntry> {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headerBytes || data.getUint8(0) !== version) {
    throw new RangeError(`transaction frame: expected version ${version}, found ${bytes.length ? data.getUint8(0) : 'nothing'}`);
  }
  const count = data.getUint32(1, true);
  let at = headerBytes;
  for (let i = 0; i < count; i++) {
    const start = at + entryHeaderBytes;
    const end = start + data.getUint32(at + 10, true);
    if (end > bytes.length) throw new RangeError(`transaction frame: entry ${i} of ${count} is cut off`);
    yield { roles: data.getUint8(at), flags: data.getUint8(at + 1), receivedAtMs: data.getFloat64(at + 2, true), start, end };
    at = end;
  }
}
