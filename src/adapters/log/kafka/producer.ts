import type { OutgoingRecord, Topic } from '../../../ports/log.js';
import type { Cluster } from './cluster.js';
import type { Compression } from './codecs.js';
import { checkCode } from './faults.js';
import { groupBy } from './group-by.js';
import { createErrorFromCode, protocolOf } from './kafkajs.js';
import { encodeBatch } from './record-batch.js';

const produceVersion = 7;
const duplicateSequenceNumber = 46;
const sequenceModulus = 2 ** 31;

/** What of one send goes to one partition, under the numbers that make a second try of it the same batch. */
export interface Slice<Item> {
  readonly topic: string;
  readonly partition: number;
  readonly items: readonly Item[];
  readonly batch: Buffer;
}

export interface Failed<Item> {
  readonly slice: Slice<Item>;
  readonly fault: unknown;
}

export type Producer = Awaited<ReturnType<typeof createProducer>>;

/** A producer id of its own, and the numbers of the batches under it. */
export async function createProducer(cluster: Cluster) {
  const link = await cluster.anyLink('ask');
  const answer = await link.ask<{ errorCode: number; producerId: string; producerEpoch: number }>('InitProducerId', {
    transactionTimeout: 60_000,
  });
  checkCode(answer.errorCode);
  const producerId = BigInt(answer.producerId);
  const { producerEpoch } = answer;
  const sequences = new Map<string, number>();

  /** Numbers the records of each partition and packs them. */
  function slice<Item extends { readonly record: OutgoingRecord }>(
    items: readonly Item[],
    nameOf: (topic: Topic) => string,
    compression: Compression,
  ): Promise<Slice<Item>[]> {
    const timeMs = Date.now();
    const groups = groupBy(items, ({ record }) => `${record.topic}/${record.partition}`);
    return Promise.all(
      [...groups].map(async ([place, group]) => {
        const { topic, partition } = group[0]!.record;
        const firstSequence = sequences.get(place) ?? 0;
        sequences.set(place, (firstSequence + group.length) % sequenceModulus);
        const values = group.map(({ record }) => record.value);
        const batch = await encodeBatch(values, { producerId, producerEpoch, firstSequence }, timeMs, compression);
        return { topic: nameOf(topic), partition, items: group, batch };
      }),
    );
  }

  /** One try. `settle` is told of each slice that is durable, with its first offset where the broker tells it. */
  async function send<Item>(
    slices: readonly Slice<Item>[],
    timeoutMs: number,
    settle: (slice: Slice<Item>, firstOffset: number | null) => void,
  ): Promise<{ failed: Failed<Item>[] }> {
    const failed: Failed<Item>[] = [];
    const led = groupBy(slices, ({ topic, partition }) => leaderOrNone(topic, partition));
    await Promise.all(
      [...led].map(async ([leader, group]) => {
        try {
          const codes = await produce(leader, group, timeoutMs);
          for (const one of group) {
            const { code, offset } = codes.get(`${one.topic}/${one.partition}`) ?? { code: -1, offset: -1 };
            if (code === 0) settle(one, offset);
            else if (code === duplicateSequenceNumber) settle(one, null);
            else failed.push({ slice: one, fault: createErrorFromCode(code) });
          }
        } catch (fault) {
          for (const one of group) failed.push({ slice: one, fault });
        }
      }),
    );
    return { failed };
  }

  function leaderOrNone(topic: string, partition: number): number {
    try {
      return cluster.leaderOf(topic, partition);
    } catch {
      return -1;
    }
  }

  async function produce<Item>(
    leader: number,
    slices: readonly Slice<Item>[],
    timeoutMs: number,
  ): Promise<Map<string, { code: number; offset: number }>> {
    const to = await cluster.link(leader, 'write');
    const payload = await to.send('Produce', produceVersion, produceBody(slices, timeoutMs), timeoutMs);
    const { response } = protocolOf('Produce', null, { topicData: [], acks: -1, timeout: timeoutMs });
    const { topics } = (await response.decode(payload)) as {
      topics: { topicName: string; partitions: { partition: number; errorCode: number; baseOffset: string }[] }[];
    };
    return new Map(
      topics.flatMap(({ topicName, partitions }) =>
        partitions.map(({ partition, errorCode, baseOffset }) => [
          `${topicName}/${partition}`,
          { code: errorCode, offset: Number(baseOffset) },
        ]),
      ),
    );
  }

  return { slice, send };
}

/** No transaction, all copies in sync, the time-out, then topic by topic its partitions, each with its batch. */
function produceBody<Item>(slices: readonly Slice<Item>[], timeoutMs: number): Uint8Array[] {
  const byTopic = groupBy(slices, ({ topic }) => topic);
  const head = Buffer.allocUnsafe(12);
  head.writeInt16BE(-1, 0);
  head.writeInt16BE(-1, 2);
  head.writeInt32BE(timeoutMs, 4);
  head.writeInt32BE(byTopic.size, 8);
  const parts: Uint8Array[] = [head];
  for (const [topic, group] of byTopic) {
    const name = Buffer.from(topic);
    const topicHead = Buffer.allocUnsafe(6 + name.length);
    topicHead.writeInt16BE(name.length, 0);
    name.copy(topicHead, 2);
    topicHead.writeInt32BE(group.length, 2 + name.length);
    parts.push(topicHead);
    for (const { partition, batch } of group) {
      const partitionHead = Buffer.allocUnsafe(8);
      partitionHead.writeInt32BE(partition, 0);
      partitionHead.writeInt32BE(batch.length, 4);
      parts.push(partitionHead, batch);
    }
  }
  return parts;
}
