import { z } from 'zod';
import type { Forward } from './forward.js';

/**
 * A frame: many transactions in one record of the `transactions` topic. Intake writes one frame per partition and batch;
 * each entry says which of its legs belong to this partition. Layout, little-endian:
 * `version u8 · count u32 · (roles u8 · flags u8 · receivedAtMs f64 · length u32 · bytes)*`.
 *
 * The bytes are a transaction's JSON, always readable by the fast reader (see `scoring/reader.ts`), unless `roles` says:
 * `reference`, a reference record's canonical JSON; `forward`, `length u32 · JSON of the forward · JSON of the transaction that it
 * is about, or nothing`.
 *
 * Behind the entries may stand the frame's name: `bytes · length u8`. It tells one process its own frames, and nobody else looks.
 */

/**
 * Bits of `roles`: the partition owns the payer's account (debit leg), the payee's account (credit leg), or both. `forward` and
 * `reference` stand alone.
 */
export const role = { debit: 1, credit: 2, forward: 64, reference: 128 } as const;
/**
 * Bits of `flags`. `maybeResent`: an earlier try of the same record may be on the log already; the scorer looks before it counts.
 * `home`: of all partitions that get this reference record, the one that stands for it.
 */
export const frameFlag = { maybeResent: 1, home: 2 } as const;

const version = 1;
const headerBytes = 5;
const entryHeaderBytes = 14;

export interface FrameEntry {
  readonly roles: number;
  readonly flags: number;
  readonly receivedAtMs: number;
  /** Where the entry's bytes lie in the frame's. */
  readonly start: number;
  readonly end: number;
}

export interface FrameInput {
  readonly roles: number;
  readonly flags: number;
  readonly receivedAtMs: number;
  readonly bytes: Uint8Array;
}

export function encodeFrame(entries: readonly FrameInput[]): Uint8Array {
  let size = headerBytes;
  for (const entry of entries) size += entryHeaderBytes + entry.bytes.length;
  const bytes = new Uint8Array(size);
  const data = new DataView(bytes.buffer);
  data.setUint8(0, version);
  data.setUint32(1, entries.length, true);
  let at = headerBytes;
  for (const entry of entries) {
    data.setUint8(at, entry.roles);
    data.setUint8(at + 1, entry.flags);
    data.setFloat64(at + 2, entry.receivedAtMs, true);
    data.setUint32(at + 10, entry.bytes.length, true);
    bytes.set(entry.bytes, at + entryHeaderBytes);
    at += entryHeaderBytes + entry.bytes.length;
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

/** Bytes that a name takes behind the entries, at most. */
export const nameBytesMax = 64;

/** Writes the name, of ASCII, at `at`, behind which the frame is to end; the bytes that it took. Throws `RangeError` for a long one. */
export function writeFrameName(frame: Buffer, at: number, name: string): number {
  if (name.length >= nameBytesMax)
    throw new RangeError(`the name of a frame has ${name.length} characters; fewer than ${nameBytesMax} are allowed`);
  frame.write(name, at, 'latin1');
  frame[at + name.length] = name.length;
  return name.length + 1;
}

/** The name of a frame; '' for one that has none, whose last byte closes a JSON object and is larger than any name is long. */
export function frameName(frame: Uint8Array): string {
  const end = frame.length - 1;
  const length = frame[end] ?? nameBytesMax;
  const start = end - length;
  if (length >= nameBytesMax || start < 0) return '';
  return Buffer.from(frame.buffer, frame.byteOffset + start, end - start).toString('latin1');
}

/** Where a forward comes from; both numbers count up for the same receiver, so that it knows what it has had. */
export interface ForwardOrigin {
  /** Partition that sent it. */
  readonly from: number;
  /** The record of the sender's log that led to it (its offset + 1), and the forward's place among all that this record led to. */
  readonly sequence: number;
  readonly index: number;
}

export interface ForwardEntry {
  readonly origin: ForwardOrigin;
  readonly forward: Forward;
  /** Where the JSON of the payment lies that it is about; null for none. */
  readonly transaction: { readonly start: number; readonly end: number } | null;
}

/** The bytes of a forward's entry. */
export function encodeForward(
  { from, sequence, index }: ForwardOrigin,
  forward: Forward,
  transaction: Uint8Array | null,
): Uint8Array {
  const json = encoder.encode(JSON.stringify({ from, sequence, index, ...forward }));
  const bytes = new Uint8Array(lengthBytes + json.length + (transaction?.length ?? 0));
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, lengthBytes);
  if (transaction) bytes.set(transaction, lengthBytes + json.length);
  return bytes;
}

/** Reads the entry `bytes[start, end)`. Throws `RangeError` where it is none. */
export function readForward(bytes: Uint8Array, start: number, end: number): ForwardEntry {
  const jsonStart = start + lengthBytes;
  if (jsonStart > end) throw new RangeError('a forward in it is cut off');
  const jsonEnd = jsonStart + new DataView(bytes.buffer, bytes.byteOffset).getUint32(start, true);
  if (jsonEnd > end) throw new RangeError('a forward in it is cut off');
  const { from, sequence, index, ...forward } = parseForward(bytes.subarray(jsonStart, jsonEnd));
  return {
    origin: { from, sequence, index },
    // Its sender is this very program: what the kind brings along is not looked at again.
    forward: forward as unknown as Forward,
    transaction: jsonEnd === end ? null : { start: jsonEnd, end },
  };
}

function parseForward(json: Uint8Array) {
  try {
    return forwardSchema.parse(JSON.parse(decoder.decode(json)));
  } catch (cause) {
    throw new RangeError('a forward in it cannot be read', { cause });
  }
}

const lengthBytes = 4;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

const forwardSchema = z.looseObject({
  from: z.int().min(0),
  sequence: z.int().min(1),
  index: z.int().min(0),
  kind: z.enum(['traces', 'use', 'notice'] satisfies Forward['kind'][]),
  to: z.string().min(1),
});
