import { frameFlag, nameBytesMax, writeFrameName } from '../domain/frame.js';
import type { OutgoingRecord } from '../ports/log.js';
import type { BufferPool } from './buffer-pool.js';
import type { FrameViews, ViewTable } from './frame-views.js';
import { rolesIn, type Candidate } from './intake-lines.js';

/** A frame is closed when it has this many bytes: small enough for a broker, large enough to make its header cheap. */
export const frameBytesMax = 512 * 1024;

/** As `encodeFrame` of `domain/frame.ts` lays it out; written here without an object for each entry. */
const version = 1;
const headerBytes = 5;
const entryHeaderBytes = 14;

/** What was found in the body's transactions, and who keeps it. No other body has the name. */
interface KnownBody {
  readonly name: string;
  readonly table: ViewTable;
  readonly frameViews: FrameViews;
}

export type FrameWriter = ReturnType<typeof createFrameWriter>;

/** Gathers accepted records into frames: transactions for the partitions that own their legs, reference records for all that need them. */
export function createFrameWriter(partitions: number, receivedAtMs: number, pool: BufferPool, known?: KnownBody) {
  const open = Array.from({ length: partitions }, (): OpenFrame => ({ candidates: [], flags: [], bytes: 0 }));
  let records: OutgoingRecord[] = [];
  const taken: Buffer[] = [];
  let closed = 0;

  function add(candidate: Candidate, flags: number): void {
    if (candidate.partitions) {
      for (const [i, partition] of candidate.partitions.entries()) {
        put(partition, candidate, i === 0 ? flags | frameFlag.home : flags);
      }
      return;
    }
    put(candidate.payerPartition, candidate, flags);
    if (candidate.payeePartition !== candidate.payerPartition) put(candidate.payeePartition, candidate, flags);
  }

  function put(partition: number, candidate: Candidate, flags: number): void {
    const frame = open[partition]!;
    frame.candidates.push(candidate);
    frame.flags.push(flags);
    frame.bytes += candidate.end - candidate.start;
    if (frame.bytes >= frameBytesMax) close(partition);
  }

  function close(partition: number): void {
    const frame = open[partition]!;
    if (frame.candidates.length > 0) {
      const buffer = pool.take(sizeOf(frame) + (known ? nameBytesMax : 0));
      taken.push(buffer);
      let end = encode(frame, partition, receivedAtMs, buffer);
      if (known) {
        const name = nameOf(known, closed++);
        end += writeFrameName(buffer, end, name);
        known.frameViews.put(name, { table: known.table, rows: Int32Array.from(frame.candidates, ({ viewRow }) => viewRow) });
      }
      records.push({ topic: 'transactions', partition, value: buffer.subarray(0, end) });
    }
    open[partition] = { candidates: [], flags: [], bytes: 0 };
  }

  return {
    add,
    /** The frames of what was added since the last call. */
    finish(): OutgoingRecord[] {
      for (let partition = 0; partition < partitions; partition++) close(partition);
      const finished = records;
      records = [];
      return finished;
    },
    /** The frames are on the log, and their buffers may be used again. */
    release() {
      for (const buffer of taken.splice(0)) pool.give(buffer);
    },
    /** The frames made so far will not be on the log, or nobody knows: a scorer that comes to one reads it. */
    forget() {
      if (!known) return;
      for (let i = 0; i < closed; i++) known.frameViews.forget(nameOf(known, i));
    },
  };
}

function nameOf({ name }: KnownBody, frame: number): string {
  return `${name}.${frame}`;
}

interface OpenFrame {
  readonly candidates: Candidate[];
  readonly flags: number[];
  /** Of the records alone. */
  bytes: number;
}

function sizeOf({ candidates, bytes }: OpenFrame): number {
  return headerBytes + candidates.length * entryHeaderBytes + bytes;
}

/** Into the beginning of `frame`; where it ends. */
function encode({ candidates, flags }: OpenFrame, partition: number, receivedAtMs: number, frame: Buffer): number {
  frame.writeUInt8(version, 0);
  frame.writeUInt32LE(candidates.length, 1);
  let at = headerBytes;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i]!;
    frame[at] = rolesIn(partition, candidate);
    frame[at + 1] = flags[i]!;
    frame.writeDoubleLE(receivedAtMs, at + 2);
    frame.writeUInt32LE(candidate.end - candidate.start, at + 10);
    at += entryHeaderBytes;
    at += candidate.bytes.copy(frame, at, candidate.start, candidate.end);
  }
  return at;
}
