import type { Log, OutgoingRecord, ReadLimit, Topic } from '../../ports/log.js';
import { createCluster, type Cluster } from './kafka/cluster.js';
import { createEnds } from './kafka/ends.js';
import { checkCode, rideOut } from './kafka/faults.js';
import { createLocalMembers, noLocalMembers } from './kafka/local-members.js';
import { createKafkaGroups } from './kafka/groups.js';
import { groupIdOf } from './kafka/group-member.js';
import type { KafkaLogOptions } from './kafka/options.js';
import { createReader } from './kafka/reader.js';
import { connectAtStart } from './kafka/start.js';
import { prepareTopics, topicNames } from './kafka/topics.js';
import { batchBytesMax, createWriter } from './kafka/writer.js';
import { recordOverheadBytes } from './kafka/record-batch.js';

export { checkKafka } from './kafka/check.js';
export type { KafkaLogEvent, KafkaLogOptions } from './kafka/options.js';

export interface KafkaLog extends Log {
  /** The advisory offset that a group was last known to have processed up to; null where there is none. For lag tools only. */
  committed(group: string, topic: Topic, partition: number): Promise<number | null>;
}

/** Longest record in bytes. */
const recordBytesMax = batchBytesMax - recordOverheadBytes;
const appendRecordsMax = 100_000;

/**
 * The log port on Kafka 2.3 or newer. Connects, makes the topics that are missing and checks the others; throws one sentence
 * (`KafkaError`) where that cannot be, within about ten seconds. An append counts when `minInsync` copies have it.
 */
export async function createKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  const prefix = options.topicPrefix ?? 'huqi';
  const names = topicNames(prefix);
  const cluster = createCluster(options, Object.values(names));
  try {
    await connectAtStart(cluster, options);
    await prepareTopics(cluster, options, names);
  } catch (error) {
    cluster.close();
    throw error;
  }
  return logOver(cluster, options, prefix, names);
}

function logOver(cluster: Cluster, options: KafkaLogOptions, prefix: string, names: Record<Topic, string>): KafkaLog {
  const deadlineMs = options.deadlineMs ?? 20_000;
  const onEvent = options.onEvent ?? (() => undefined);
  const nameOf = (topic: Topic) => names[topic];
  const { partitions } = options;
  const reader = createReader(cluster, nameOf, deadlineMs);
  const ends = createEnds(cluster, nameOf);
  const writer = createWriter(cluster, {
    deadlineMs,
    compression: options.compression ?? 'none',
    nameOf,
    onAppended: ends.note,
    onProducerReplaced: (reason) => onEvent({ kind: 'producerReplaced', detail: `an append went wrong: ${reason}` }),
  });
  const groups = createKafkaGroups({
    cluster,
    prefix,
    nameOf,
    partitions,
    bounds: reader.bounds,
    sourceOf: (topic, partition) => ({
      read: (from, limit, signal) => reader.read(topic, partition, from, limit, signal),
      first: async () => (await reader.bounds(topic, partition)).first,
      waitFor: (from, timeoutMs, signal) => ends.wait(topic, partition, from, timeoutMs, signal),
    }),
    sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
    localMembers: options.membersDirectory === undefined ? noLocalMembers : createLocalMembers(options.membersDirectory),
    onTrouble: options.onTrouble ?? (() => undefined),
    onEvent,
  });
  let closed = false;
  let closing: Promise<void> | null = null;

  function assertOpen(): void {
    if (closed) throw new Error('log: it is closed; open it again before using it');
  }

  function assertPartition(topic: Topic, partition: number): void {
    const count = partitions[topic] ?? 0;
    if (!Number.isInteger(partition) || partition < 0 || partition >= count)
      throw new RangeError(`${topic}/${partition}: there is no such partition, ${topic} has ${count}`);
  }

  /** Checked before anything is queued, so that a bad record fails its own append only. */
  function checkOutgoing(records: readonly OutgoingRecord[]): void {
    if (records.length > appendRecordsMax)
      throw new RangeError(`log: ${records.length} records in one append, at most ${appendRecordsMax} are allowed`);
    for (const { topic, partition, value } of records) {
      assertPartition(topic, partition);
      if (value.length > recordBytesMax)
        throw new RangeError(
          `${topic}/${partition}: a record of ${value.length} bytes, at most ${recordBytesMax} are allowed on Kafka`,
        );
    }
  }

  async function committed(group: string, topic: Topic, partition: number): Promise<number | null> {
    assertOpen();
    assertPartition(topic, partition);
    const groupId = groupIdOf(prefix, group, topic);
    return rideOut({ what: `${groupId}: asking for its offset`, deadlineMs, refresh: cluster.refresh }, async () => {
      const any = await cluster.anyLink('ask');
      const found = await any.ask<{ errorCode: number; coordinator: { nodeId: number } }>('GroupCoordinator', { groupId });
      checkCode(found.errorCode);
      const link = await cluster.link(found.coordinator.nodeId, 'ask');
      const answer = await link.ask<{
        errorCode: number;
        responses: { partitions: { offset: string; errorCode: number }[] }[];
      }>('OffsetFetch', { groupId, topics: [{ topic: names[topic], partitions: [{ partition }] }] });
      checkCode(answer.errorCode);
      const one = answer.responses[0]?.partitions[0];
      if (one) checkCode(one.errorCode);
      return one && Number(one.offset) >= 0 ? Number(one.offset) : null;
    });
  }

  async function closeAll(): Promise<void> {
    await groups.close();
    closed = true;
    ends.close();
    await writer.close();
    cluster.close();
  }

  return {
    partitions: (topic) => partitions[topic],
    append: async (records) => {
      assertOpen();
      checkOutgoing(records);
      await writer.append(records);
    },
    read: async (topic, partition, from, limit: ReadLimit) => {
      assertOpen();
      assertPartition(topic, partition);
      return reader.read(topic, partition, from, limit);
    },
    bounds: async (topic, partition) => {
      assertOpen();
      assertPartition(topic, partition);
      return reader.bounds(topic, partition);
    },
    waitFor: async (topic, partition, from, timeoutMs, signal) => {
      if (closed) return false;
      assertPartition(topic, partition);
      return ends.wait(topic, partition, from, timeoutMs, signal);
    },
    trim: async (topic, partition, below) => {
      assertOpen();
      assertPartition(topic, partition);
      await reader.trim(topic, partition, below);
    },
    join: async (group, topic, open) => {
      if (closing) throw new Error('log: it is closed; open it again before joining a group');
      return groups.join(group, topic, open);
    },
    committed,
    close: () => (closing ??= closeAll()),
  };
}
