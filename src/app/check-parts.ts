import { access, stat } from 'node:fs/promises';
import { constants, existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { acquireDataDirectory, DataDirectoryError, openEnvironment } from '../adapters/lmdb-environment.js';
import { createLmdbLog } from '../adapters/log/lmdb.js';
import { embeddedEngineVersion } from '../adapters/warehouse/chdb.js';
import { openClickHouseWarehouse } from '../adapters/warehouse/clickhouse.js';
import type { Settings } from '../settings.js';

export interface PartFinding {
  readonly check: string;
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly detail: string;
}

/** Looks at the embedded parts without changing anything: is the data directory usable, free, and is the engine there? */
export async function checkParts(settings: Settings): Promise<PartFinding[]> {
  const look = async (check: string, work: () => Promise<string | PartFinding>): Promise<PartFinding> => {
    try {
      const detail = await work();
      return typeof detail === 'string' ? { check, verdict: 'good', detail } : detail;
    } catch (error) {
      return { check, verdict: 'bad', detail: error instanceof Error ? error.message : String(error) };
    }
  };
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
    return [place, await look('warehouse', () => warehouseVersion(settings))];
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
  return [directory, store, await look('warehouse', () => warehouseVersion(settings))];
}

async function warehouseVersion(settings: Settings): Promise<string> {
  if (settings.cluster.clickhouseUrl !== '') {
    const remote = openClickHouseWarehouse({ url: settings.cluster.clickhouseUrl });
    try {
      const [row] = await remote.query<{ version: string }>('SELECT version() AS version');
      return `ClickHouse ${row?.version ?? ''} answers`;
    } finally {
      await remote.close();
    }
  }
  return `the embedded ClickHouse engine ${await embeddedEngineVersion()} is installed`;
}
