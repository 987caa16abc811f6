import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { State } from '../ports/state.js';
import { PartsMismatch } from './stores.js';

const slot = 'marks';
const key = 'embedded-warehouse';

/**
 * Of a cluster without a ClickHouse server: one embedded warehouse is its archive. A second one would get a part of the rows, and
 * neither would know. Throws `PartsMismatch` where another one is.
 */
export async function claimWarehouse(state: State, dataDir: string): Promise<void> {
  const own = Buffer.from(await idOf(dataDir));
  await state.commit(slot, { expect: [{ key, value: null }], put: [{ key, value: own }] });
  const [claimed] = await state.get(slot, [key]);
  if (!claimed || Buffer.compare(claimed, own) === 0) return;
  throw new PartsMismatch(
    `another data directory than ${dataDir} holds the archive of this cluster: set HUQI_CLICKHOUSE_URL, so that processes share one, or start with that directory`,
  );
}

async function idOf(dataDir: string): Promise<string> {
  const file = join(dataDir, 'warehouse.id');
  const known = await readFile(file, 'utf8').catch(() => null);
  if (known !== null) return known.trim();
  const made = randomUUID();
  await mkdir(dataDir, { recursive: true });
  await writeFile(file, `${made}\n`, { flush: true });
  return made;
}
