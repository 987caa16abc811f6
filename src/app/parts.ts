import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { acquireDataDirectory, openEnvironment } from '../adapters/lmdb-environment.js';
import { createLmdbLog } from '../adapters/log/lmdb.js';
import { createLmdbState } from '../adapters/state/lmdb.js';
import { openChdbWarehouse } from '../adapters/warehouse/chdb.js';
import { openClickHouseWarehouse, type ClickHouseOptions } from '../adapters/warehouse/clickhouse.js';
import type { Warehouse } from '../ports/warehouse.js';
import type { Settings } from '../settings.js';
import { pemTexts } from './pem-texts.js';
import { openClusterState, openClusterStores } from './cluster-stores.js';
import { PartsMismatch, StoreMissing, type OpenStoresOptions, type Stores } from './stores.js';

/** Which adapter stands behind which port: embedded parts of a data directory, or Kafka, Redis and ClickHouse. */

/** Whether log and state lie on Kafka and Redis. Throws `PartsMismatch` where only one of them does. */
export function isClustered({ cluster }: Settings): boolean {
  const [hasKafka, hasRedis] = [cluster.kafkaBrokers.length > 0, cluster.redisUrl !== ''];
  if (hasKafka && !hasRedis)
    throw new PartsMismatch(
      'HUQI_KAFKA_BROKERS is set without HUQI_REDIS_URL: processes that share a log need one state; set both, or none',
    );
  if (hasRedis && !hasKafka)
    throw new PartsMismatch(
      'HUQI_REDIS_URL is set without HUQI_KAFKA_BROKERS: the state holds positions of one log, and an embedded log is one process alone; set both, or none',
    );
  return hasKafka;
}

/** Log and state. Throws one clear error where something is taken, locked, broken or missing. */
export function openStores(settings: Settings, options: OpenStoresOptions = {}): Promise<Stores> {
  return isClustered(settings) ? openClusterStores(settings, options) : openEmbeddedStores(settings, options);
}

/** The state alone: what people change by commands lies there. */
export async function openState(settings: Settings, options: OpenStoresOptions = {}): Promise<Pick<Stores, 'state' | 'close'>> {
  if (!isClustered(settings)) return openEmbeddedStores(settings, options);
  return openClusterState(settings);
}

/** The warehouse that the settings name: the embedded one of a data directory, which one process may open, or a server. */
export async function openWarehouse(settings: Settings): Promise<Warehouse> {
  const { cluster, dataDir, warehouse } = settings;
  const { ttlDays } = warehouse;
  return cluster.clickhouseUrl === ''
    ? openChdbWarehouse({ directory: join(dataDir, 'warehouse'), ttlDays })
    : openClickHouseWarehouse({ ...(await clickHouseOptions(settings)), ttlDays });
}

export async function clickHouseOptions({ cluster, clickhouse }: Settings): Promise<ClickHouseOptions> {
  const { username, password, database, compression, writeMsMax, readMsMax, insertQuorum } = clickhouse;
  const { ca, cert, key } = await pemTexts(clickhouse);
  return {
    url: cluster.clickhouseUrl,
    username: username === '' ? undefined : username,
    password: password === '' ? undefined : password,
    database: database === '' ? undefined : database,
    compression,
    writeMsMax,
    readMsMax,
    insertQuorum,
    ...(ca === undefined ? {} : { tls: { ca, cert, key } }),
  };
}

async function openEmbeddedStores(settings: Settings, options: OpenStoresOptions): Promise<Stores> {
  const { dataDir, log: logSettings } = settings;
  const { access = 'alone', makes = false, telemetry } = options;
  if (!makes && !existsSync(join(dataDir, 'huqi.mdb'))) throw new StoreMissing(dataDir);
  const lock = access === 'alone' ? await acquireDataDirectory(dataDir) : null;
  try {
    const environment = openEnvironment({ directory: dataDir });
    const log = createLmdbLog(environment, {
      partitions: logSettings.partitions,
      ...(telemetry ? { onTrouble: telemetry.partitionClosed } : {}),
    });
    const state = createLmdbState(environment, log);
    return {
      log,
      state,
      names: ['lmdb'],
      lost: environment.lost,
      async close() {
        await state.close();
        await log.close();
        await environment.close();
        await lock?.release();
      },
    };
  } catch (error) {
    await lock?.release();
    throw error;
  }
}
