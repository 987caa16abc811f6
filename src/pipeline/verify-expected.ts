import type { Event, EventFrame } from '../domain/event.js';
import { readForward, readFrame, role, type FrameEntry } from '../domain/frame.js';
import type { OutgoingRecord } from '../ports/log.js';
import { framesPerBatchMax } from './partitioning.js';
import { digestOf, canonicalJson } from './verify-tally.js';
import { readEvents } from './verify-scan.js';

/** What a scored record leads to, as single things with a name and a content: hits, what was set aside, and forwards. */
export interface Output {
  readonly kind: OutputKind;
  /** Names it among all outputs of all partitions. */
  readonly key: string;
  /** For people: no account, no name. */
  readonly id: string;
  readonly digest: number;
  /** The partition of `transactions` and the record in it that led to it. */
  readonly owner: number;
  readonly offset: number;
}

export const outputKinds = ['hits', 'set aside', 'forwards'] as const;
export type OutputKind = (typeof outputKinds)[number];

export interface ForwardOutput extends Output {
  /** Its number among all that the same sender tells the same receiver. */
  readonly sequence: number;
  readonly index: number;
}

/** A record's outputs are numbered by its place on the log, from 1. */
const offsetOf = (sequence: number): number => sequence - 1;

const scoreProducer = /^score\/(\d+)$/;

/** The partition of `transactions` whose scorer this producer is; null for any other. */
export function scorerOf(producer: string): number | null {
  const partition = scoreProducer.exec(producer)?.[1];
  return partition === undefined ? null : Number(partition);
}

/** The record that led to a scorer's frame of events. */
export function frameOffset({ sequence }: Pick<EventFrame, 'sequence'>): number {
  return offsetOf(Math.floor(sequence / framesPerBatchMax));
}

/** Events of a scorer's frame on partition `at` of `topic`. */
export function eventOutputs(topic: 'hits' | 'rejected', at: number, frame: EventFrame, owner: number): Output[] {
  const offset = frameOffset(frame);
  const kind = topic === 'hits' ? 'hits' : 'set aside';
  const names = new Map<string, number>();
  return frame.events.map((event: Event) => {
    // The same hit may come of one record twice, by a leg and by what is told of it.
    const nth = (names.get(event.id) ?? 0) + 1;
    names.set(event.id, nth);
    const key = `${topic}/${owner}/${frame.sequence}/${event.id}/${nth}`;
    return { kind, key, id: event.id, digest: digestOf(`${at} `, canonicalJson(event)), owner, offset };
  });
}

/** A forward on partition `at` of `transactions`; null for any other entry. Throws `RangeError` for a damaged one. */
export function forwardOutput(at: number, value: Uint8Array, entry: FrameEntry): ForwardOutput | null {
  if (entry.roles !== role.forward) return null;
  const { origin } = readForward(value, entry.start, entry.end);
  const { from, sequence, index } = origin;
  const id = `${from}/${sequence}/${index}`;
  const digest = digestOf(`${at} ${entry.receivedAtMs} `, value.subarray(entry.start, entry.end));
  return { kind: 'forwards', key: `forward/${id}`, id, digest, owner: from, offset: offsetOf(sequence), sequence, index };
}

/** All of one record that scoring appends. */
export function outputsOf({ topic, partition, value }: OutgoingRecord, owner: number): Output[] {
  if (topic === 'hits' || topic === 'rejected') {
    return eventOutputs(topic, partition, readEvents(topic, partition, 0, value), owner);
  }
  return [...readFrame(value)].flatMap((entry) => forwardOutput(partition, value, entry) ?? []);
}
