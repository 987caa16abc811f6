import { join } from 'node:path';
import { createKafkaLog, type KafkaLogOptions } from '../adapters/log/kafka.js';
import { createRedisState, type RedisStateOptions } from '../adapters/state/redis.js';
import type { Settings } from '../settings.js';
import { pemTexts } from './pem-texts.js';
import { isUsed, PartsMismatch, type OpenStoresOptions, type Stores } from './stores.js';

/** Log and state on Kafka and Redis. */

export async function openClusterStores(settings: Settings, options: OpenStoresOptions): Promise<Stores> {
  const { telemetry } = options;
  let lose: (fault: unknown) => void = () => undefined;
  const lost = new Promise<never>((_, reject) => {
    lose = reject;
  });
  lost.catch(() => undefined);
  const state = await createRedisState({
    ...(await redisOptions(settings)),
    onTrouble: (trouble) => {
      telemetry?.stateTroubled(trouble);
      if (trouble.kind === 'fatal') lose(trouble.error ?? new Error(`the state on ${trouble.server} is lost`));
    },
  });
  try {
    const log = await createKafkaLog({
      ...(await kafkaOptions(settings)),
      ...(telemetry ? { onTrouble: telemetry.partitionClosed, onEvent: telemetry.logTroubled } : {}),
    });
    const close = async (): Promise<void> => {
      await log.close();
      await state.close();
    };
    if (state.isNew && (await isUsed(log))) {
      await close();
      throw new PartsMismatch(
        `${settings.kafka.topicPrefix}.* on Kafka holds records and Redis holds no HuQi state: they do not belong together. Restore the state, or use another kafka.topicPrefix`,
      );
    }
    return { log, state, names: ['kafka', 'redis'], lost, close };
  } catch (error) {
    await state.close().catch(() => undefined);
    throw error;
  }
}

/** The state alone. */
export async function openClusterState(settings: Settings): Promise<Pick<Stores, 'state' | 'close'>> {
  const state = await createRedisState(await redisOptions(settings));
  return { state, close: () => state.close() };
}

export async function kafkaOptions({ cluster, kafka, log, incoming, dataDir }: Settings): Promise<KafkaLogOptions> {
  const { tls, sasl } = kafka;
  const files = await pemTexts(tls);
  return {
    brokers: cluster.kafkaBrokers,
    partitions: log.partitions,
    topicPrefix: kafka.topicPrefix,
    compression: kafka.compression,
    sessionTimeoutMs: kafka.sessionTimeoutMs,
    deadlineMs: kafka.deadlineMs,
    membersDirectory: join(dataDir, 'kafka-members'),
    ...(kafka.replication > 0 ? { replication: kafka.replication } : {}),
    ...(kafka.minInsync > 0 ? { minInsync: kafka.minInsync } : {}),
    retentionMs: { incoming: incoming.retentionMs },
    ...(tls.enabled ? { tls: Object.keys(files).length > 0 ? files : true } : {}),
    ...(sasl.mechanism === 'none'
      ? {}
      : { sasl: { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password } }),
  };
}

export async function redisOptions({ cluster, redis }: Settings): Promise<RedisStateOptions> {
  const tls = await pemTexts(redis);
  return {
    url: cluster.redisUrl,
    prefix: redis.prefix,
    replicasMin: redis.replicasMin,
    deadlineMs: redis.deadlineMs,
    ...(redis.username === '' ? {} : { username: redis.username }),
    ...(redis.password === '' ? {} : { password: redis.password }),
    ...(Object.keys(tls).length > 0 ? { tls } : {}),
  };
}
