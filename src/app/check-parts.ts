import { access, stat } from 'node:fs/promises';
import { constants, existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isPrivate } from '../adapters/data-directory.js';
import { acquireDataDirectory, DataDirectoryError, openEnvironment } from '../adapters/lmdb-environment.js';
import { checkKafka } from '../adapters/log/kafka.js';
import { createLmdbLog } from '../adapters/log/lmdb.js';
import { checkRedis } from '../adapters/state/redis.js';
import { embeddedEngineVersion } from '../adapters/warehouse/chdb.js';
import { checkClickHouse } from '../adapters/warehouse/check-clickhouse.js';
import type { Settings } from '../settings.js';
import { kafkaOptions, redisOptions } from './cluster-stores.js';
import { clickHouseOptions, isClustered } from './parts.js';

export interface PartFinding {
  readonly check: string;
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly detail: string;
}

/** Looks at the parts that the settings name: are they there, usable, safe? Nothing of the platform's own is changed. */
export async function checkParts(settings: Settings): Promise<PartFinding[]> {
  let isCluster: boolean;
  try {
    isCluster = isClustered(settings);
  } catch (error) {
    return [{ check: 'parts', verdict: 'bad', detail: reasonOf(error) }];
  }
  const stores = isCluster ? checkCluster(settings) : checkEmbedded(settings);
  return [...(await stores), ...(await checkWarehouse(settings)), ...checkWarehouseOwner(settings, isCluster)];
}

async function checkCluster(settings: Settings): Promise<PartFinding[]> {
  const found = await Promise.all([
    kafkaOptions(settings).then(checkKafka).catch(badAs('Kafka')),
    redisOptions(settings).then(checkRedis).catch(badAs('Redis')),
  ]);
  return found.flat();
}

function checkWarehouseOwner({ cluster, dataDir }: Settings, isCluster: boolean): PartFinding[] {
  if (!isCluster || cluster.clickhouseUrl !== '') return [];
  const detail = `the archive is embedded in ${dataDir}: one process alone may run http and archive; set HUQI_CLICKHOUSE_URL for more`;
  return [{ check: 'archive', verdict: 'doubtful', detail }];
}

async function checkEmbedded(settings: Settings): Promise<PartFinding[]> {
  if (!existsSync(settings.dataDir)) {
    const place = await look('directory', async () => {
      let parent = resolve(settings.dataDir);
      while (!existsSync(parent)) parent = dirname(parent);
      if (!(await stat(parent)).isDirectory()) throw new Error(`${parent} is a file; choose another data directory`);
      await access(parent, constants.W_OK | constants.X_OK).catch(() => {
        throw new Error(`${settings.dataDir} cannot be made: ${parent} may not be written by this user`);
      });
      return `${settings.dataDir} is not there yet; the first start makes it`;
    });
    return [place];
  }
  const directory = await look('directory', async () => {
    const lock = await acquireDataDirectory(settings.dataDir).catch((error: unknown) => {
      if (error instanceof DataDirectoryError && error.retriable) return null;
      throw error;
    });
    await lock?.release();
    return lock ? `${settings.dataDir} is free and can be written` : `${settings.dataDir} is in use by a running platform`;
  });
  const store = await look('store', async () => {
    const environment = openEnvironment({ directory: settings.dataDir });
    try {
      const bounds = await createLmdbLog(environment, { partitions: settings.log.partitions }).bounds('transactions', 0);
      return `LMDB opens; ${bounds.next - bounds.first} records in the first partition of transactions`;
    } finally {
      await environment.close();
    }
  });
  return [directory, ...(directory.verdict === 'good' ? [rightsOf(settings.dataDir)] : []), store];
}

function rightsOf(directory: string): PartFinding {
  const check = 'rights';
  if (isPrivate(directory)) return { check, verdict: 'good', detail: `${directory} is open to its owner only` };
  const detail = `others may look into ${directory}, where the secrets of webhooks lie: chmod 700 ${directory}`;
  return { check, verdict: 'doubtful', detail };
}

async function look(check: string, work: () => Promise<string>): Promise<PartFinding> {
  try {
    return { check, verdict: 'good', detail: await work() };
  } catch (error) {
    return { check, verdict: 'bad', detail: reasonOf(error) };
  }
}

const badAs =
  (check: string) =>
  (error: unknown): PartFinding[] => [{ check, verdict: 'bad', detail: reasonOf(error) }];

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function checkWarehouse(settings: Settings): Promise<PartFinding[]> {
  if (settings.cluster.clickhouseUrl === '')
    return [await look('warehouse', async () => `the embedded ClickHouse engine ${await embeddedEngineVersion()} is installed`)];
  const found = await clickHouseOptions(settings).then(checkClickHouse).catch(badAs('options'));
  return found.map(({ check, ...rest }) => ({ check: `ClickHouse ${check}`, ...rest }));
}
