import type { CalendarData } from '../domain/calendar.js';
import type { LogRecord, OutgoingRecord, Topic } from '../ports/log.js';
import type { PatternSource } from '../scoring/pattern-set.js';
import type { KnownFrame } from './frame-views.js';
import type { Marks } from './high-water.js';
import type { MeterReading } from './pattern-meter.js';
import type { Asking, MemoryPlace, Scored } from './score-memory.js';
import type { PackedChunk } from './snapshot-packing.js';

/** What a scoring thread is told, and what it answers: numbers and bytes, the bytes handed over and not copied where they can be. */

export interface MemoryWorkerData {
  readonly calendar: CalendarData;
}

/** A pattern set in words: the thread compiles its own. */
export interface SetInWords {
  readonly id: string;
  readonly sources: readonly PatternSource[];
}

/** By its name, what is asked with it and what comes back. `memory` is the caller's number of the memory that it is about. */
export interface MemoryCalls {
  /** Compiles a set that will be needed. */
  prepare: { ask: { set: SetInWords }; answer: null };
  open: { ask: { memory: number; set: SetInWords; place: MemoryPlace }; answer: null };
  score: { ask: { memory: number; records: PackedRecords; how: Asking }; answer: PackedScored };
  warm: { ask: { memory: number; records: PackedRecords; how: Asking }; answer: { legs: number; room: Room } };
  adopt: { ask: { memory: number; set: SetInWords }; answer: boolean };
  /** Null where the engine has none. */
  copy: { ask: { memory: number }; answer: { marks: Marks } | null };
  /** The copy's next chunk; null behind the last one. */
  chunk: { ask: { memory: number }; answer: PackedChunk | null };
  /** The copy is of no use any more. */
  drop: { ask: { memory: number }; answer: null };
  restore: { ask: { memory: number; stored: Uint8Array }; answer: null };
  restored: { ask: { memory: number; marks: Marks }; answer: null };
  close: { ask: { memory: number }; answer: null };
  read: { ask: object; answer: MeterReading };
}
export type MemoryCall = keyof MemoryCalls;

export type MemoryOrder = { [Call in MemoryCall]: { number: number; call: Call; ask: MemoryCalls[Call]['ask'] } }[MemoryCall];
export type MemoryAnswer = { readonly number: number } & (
  | { readonly value: MemoryCalls[MemoryCall]['answer'] }
  | { readonly fault: MemoryFault }
);

export interface MemoryFault {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** It is a `BatchFault`. */
  readonly isOfBatch: boolean;
}

/** Bytes that go to the thread with a batch and come back with the answer, to be used again. */
export type Room = Uint8Array<ArrayBuffer>;

export interface PackedRecords {
  readonly room: Room;
  readonly offsets: readonly number[];
  /** Behind each record's last byte. */
  readonly ends: readonly number[];
  /** What was read of them already, by the names of their frames. */
  readonly known: readonly (readonly [name: string, known: KnownFrame])[];
}

export type PackedScored = Omit<Scored, 'outputs'> & { readonly outputs: PackedOutputs; readonly room: Room };

interface PackedOutputs {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly places: readonly (readonly [topic: Topic, partition: number, end: number])[];
}

/** `take` gives room of so many bytes at least. */
export function packRecords(
  records: readonly LogRecord[],
  known: PackedRecords['known'],
  take: (bytes: number) => Room,
): PackedRecords {
  const room = take(records.reduce((sum, { value }) => sum + value.length, 0));
  const ends: number[] = [];
  let end = 0;
  for (const { value } of records) {
    room.set(value, end);
    ends.push((end += value.length));
  }
  return { room, offsets: records.map(({ offset }) => offset), ends, known };
}

export function unpackRecords({ room, offsets, ends }: PackedRecords): LogRecord[] {
  return offsets.map((offset, i) => ({ offset, value: room.subarray(ends[i - 1] ?? 0, ends[i]) }));
}

export function packOutputs(outputs: readonly OutgoingRecord[]): PackedOutputs {
  const bytes = new Uint8Array(outputs.reduce((sum, { value }) => sum + value.length, 0));
  let end = 0;
  const places = outputs.map(({ topic, partition, value }) => {
    bytes.set(value, end);
    return [topic, partition, (end += value.length)] as const;
  });
  return { bytes, places };
}

export function unpackOutputs({ bytes, places }: PackedOutputs): OutgoingRecord[] {
  return places.map(([topic, partition, end], i) => {
    const start = places[i - 1]?.[2] ?? 0;
    return { topic, partition, value: Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start) };
  });
}
