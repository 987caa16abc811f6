import { encodeFrame, type FrameInput } from '../domain/frame.js';
import type { OutgoingRecord } from '../ports/log.js';
import { rolesIn, type Candidate } from './intake-lines.js';

/** A frame is closed when it has this many bytes: small enough for a broker, large enough to make its header cheap. */
const frameBytesMax = 512 * 1024;

/** Gathers accepted transactions into frames of the partitions that own their legs. */
export function createFrameWriter(partitions: number, receivedAtMs: number) {
  const open: { entries: FrameInput[]; bytes: number }[] = Array.from({ length: partitions }, () => ({ entries: [], bytes: 0 }));
  const records: OutgoingRecord[] = [];

  function add(candidate: Candidate, flags: number): void {
    const json = candidate.bytes.subarray(candidate.start, candidate.end);
    put(candidate.payerPartition, candidate, flags, json);
    if (candidate.payeePartition !== candidate.payerPartition) put(candidate.payeePartition, candidate, flags, json);
  }

  function put(partition: number, candidate: Candidate, flags: number, json: Uint8Array): void {
    const frame = open[partition]!;
    frame.entries.push({ roles: rolesIn(partition, candidate), flags, receivedAtMs, json });
    frame.bytes += json.length;
    if (frame.bytes >= frameBytesMax) close(partition);
  }

  function close(partition: number): void {
    const { entries } = open[partition]!;
    if (entries.length > 0) records.push({ topic: 'transactions', partition, value: encodeFrame(entries) });
    open[partition] = { entries: [], bytes: 0 };
  }

  return {
    add,
    finish(): OutgoingRecord[] {
      for (let partition = 0; partition < partitions; partition++) close(partition);
      return records;
    },
  };
}
