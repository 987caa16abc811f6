import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { createKafkaLog, type KafkaLogOptions } from '../../src/adapters/log/kafka.js';
import type { LogTrouble } from '../../src/ports/log.js';
import { contractPartitions, describeLogContract } from '../contracts/log.contract.js';
import { startKafka, type KafkaCluster } from './support/kafka-broker.js';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

const freshOptions = (): KafkaLogOptions => ({
  brokers: kafka.bootstrap,
  partitions: contractPartitions,
  topicPrefix: `t${randomUUID().slice(0, 8)}`,
  sessionTimeoutMs: 4_000,
});

describeLogContract('Kafka', async () => {
  const options = freshOptions();
  const troubles: LogTrouble[] = [];
  const log = await createKafkaLog({ ...options, onTrouble: (trouble) => troubles.push(trouble) });
  return {
    log,
    troubles,
    atomic: false,
    opener: { module: new URL('support/kafka-opener.ts', import.meta.url).href, config: options },
    close: () => log.close(),
  };
});
