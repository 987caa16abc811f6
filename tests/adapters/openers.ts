/** Opens the embedded adapters in a process of its own, for the contract suites. */
import { createLmdbLog } from '../../src/adapters/log/lmdb.js';
import { openEnvironment } from '../../src/adapters/lmdb-environment.js';
import { createLmdbState } from '../../src/adapters/state/lmdb.js';
import { openChdbWarehouse } from '../../src/adapters/warehouse/chdb.js';
import { topics, type Log, type Topic } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import type { Warehouse } from '../../src/ports/warehouse.js';

const partitions = Object.fromEntries(topics.map((topic) => [topic, 4])) as Record<Topic, number>;

export async function openLog(directory: string): Promise<Log> {
  return createLmdbLog(openEnvironment({ directory }), { partitions });
}

export async function openState(directory: string): Promise<State> {
  return createLmdbState(openEnvironment({ directory }));
}

export function openWarehouse(directory: string): Promise<Warehouse> {
  return openChdbWarehouse({ directory });
}
