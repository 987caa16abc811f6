/**
 * The log: ordered, durable, partitioned. Embedded on LMDB, in a cluster on Kafka.
 *
 * Promises (each has a contract test that runs over every adapter):
 * 1. `append` resolves only when every record is durable; records of one call keep their order within a partition.
 * 2. Offsets of a partition only grow; a record once read at an offset is always read there again.
 * 3. `read` from an offset returns records in order and nothing twice; at the end it returns none and the same `next`.
 * 4. A reader that starts below the first kept offset gets an `OffsetOutOfRange` error, never a silent jump.
 * 5. Within one group a partition is processed by one member at a time, one batch after the other, from the position
 *    that the processor itself names; except that a member that was cut off may go on for a while without knowing it: its
 *    writes must fail by compare-and-set, with `OwnershipLost`. What `open`, `process`, `failed` or reading throws loses nothing:
 *    `OwnershipLost` and what is retriable (`retriable === true`) close that partition alone, which is opened anew after a
 *    pause while the group still gives it to this member; anything else stops the member visibly.
 * 6. `trim` removes only whole records below the given offset and is bounded work per call.
 */

export const topics = [
  'transactions',
  'rejected',
  'legs',
  'hits',
  'warnings',
  'deliveries',
  'commands',
  'events',
  'controls',
  'incoming',
] as const;
export type Topic = (typeof topics)[number];

/** What goes into the warehouse: all but `incoming`, whose records come again as transactions or as rejected ones. */
export const archivedTopics = topics.filter((topic) => topic !== 'incoming');
export type ArchivedTopic = (typeof archivedTopics)[number];

export interface LogRecord {
  readonly offset: number;
  readonly value: Uint8Array;
}

export interface OutgoingRecord {
  readonly topic: Topic;
  readonly partition: number;
  readonly value: Uint8Array;
}

export interface LogBatch {
  readonly records: readonly LogRecord[];
  /** Where to read next. */
  readonly next: number;
}

export interface ReadLimit {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** What a consumer does with one partition while it owns it. */
export interface PartitionProcessor {
  /** Offset to start from; the processor's own durable position, not the log's committed offset. `'earliest'` = first kept. */
  readonly start: number | 'earliest';
  readonly limit: ReadLimit;
  /** Never called concurrently for one partition. The log may keep `batch.next` as its advisory committed offset once it resolves. */
  process(batch: LogBatch): Promise<void>;
  /** Nothing of a batch's records is used once `process` has resolved: the log may put the next ones in their place. */
  readonly letsGo?: boolean;
  /** Rejects with a fault outside of `process`, which then counts as if `process` had thrown it. Never resolves. */
  readonly failed?: Promise<never>;
  /** The partition is taken away or the membership ends; nothing is processed after it. */
  close(): Promise<void>;
}

export interface OwnedPartition {
  readonly partition: number;
  /** False while its processor is being opened, and while it waits to be opened anew. */
  readonly isOpen: boolean;
}

export interface Membership {
  /** Resolves when the member has stopped; rejects with the fault that stopped it. */
  readonly done: Promise<void>;
  /** Records behind the end of the log, over the owned partitions. */
  lag(): Promise<number>;
  /** What the group gives this member just now; null while it is still joining. */
  owned(): readonly OwnedPartition[] | null;
  /** Lets the batches in hand end, closes the processors, leaves the group. */
  leave(): Promise<void>;
}

export interface Log {
  partitions(topic: Topic): number;
  /**
   * All records become durable, or none of the call on a log that has transactions (`atomic`). Rejects with `Unavailable`
   * where it is not known whether any of them did.
   */
  append(records: readonly OutgoingRecord[]): Promise<void>;
  read(topic: Topic, partition: number, from: number, limit: ReadLimit): Promise<LogBatch>;
  /** First kept offset and the offset after the last. */
  bounds(topic: Topic, partition: number): Promise<{ first: number; next: number }>;
  /** Takes part in `group` on `topic`; `open` is called for each partition this member comes to own. */
  join(group: string, topic: Topic, open: (partition: number) => Promise<PartitionProcessor>): Promise<Membership>;
  /** Resolves true when a record at or after `from` exists, false at the time-out or when `signal` aborts. */
  waitFor(topic: Topic, partition: number, from: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean>;
  trim(topic: Topic, partition: number, below: number): Promise<void>;
  close(): Promise<void>;
}

/** A partition that a fault has closed; it is opened anew after a pause. */
export interface LogTrouble {
  readonly group: string;
  readonly topic: Topic;
  readonly partition: number;
  readonly error: unknown;
}
export type OnTrouble = (trouble: LogTrouble) => void;

/** Another process works on the partition that this one believed to own. Whoever wrote last goes on. */
export class OwnershipLost extends Error {
  readonly retriable = false;
  constructor(slot: string) {
    super(`${slot}: another owner has taken over this partition; this one gives it up`);
    this.name = 'OwnershipLost';
  }
}

/** Whether a fault ends the work on one partition alone (promise 5); any other stops the member. */
export function closesPartitionOnly(fault: unknown): boolean {
  return fault instanceof OwnershipLost || (fault instanceof Error && 'retriable' in fault && fault.retriable === true);
}

export class OffsetOutOfRange extends Error {
  readonly retriable = false;
  constructor(topic: Topic, partition: number, from: number, first: number) {
    super(
      `${topic}/${partition}: offset ${from} is gone, the first kept is ${first}. Restore a snapshot or raise the retention.`,
    );
    this.name = 'OffsetOutOfRange';
  }
}
