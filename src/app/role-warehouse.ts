import type { Role } from '../pipeline/run.js';
import { Unavailable } from '../ports/unavailable.js';
import type { State } from '../ports/state.js';
import type { Warehouse } from '../ports/warehouse.js';
import type { Settings } from '../settings.js';
import { claimWarehouse } from './own-warehouse.js';
import { isClustered, openWarehouse } from './parts.js';
import { PartsMismatch } from './stores.js';

/** Roles that read or write the warehouse. */
const warehouseRoles: readonly Role[] = ['http', 'archive'];

export function usesWarehouse(roles: ReadonlySet<Role>): boolean {
  return warehouseRoles.some((role) => roles.has(role));
}

/**
 * Checks whether the parts allow these roles; the answer opens the warehouse that they need. Throws `PartsMismatch`.
 */
export function openRoleWarehouse(
  settings: Settings,
  roles: ReadonlySet<Role>,
  all: number,
  onAbsent: (error: Unavailable) => void,
): (state: State) => Promise<Warehouse> {
  if (roles.size < all && !isClustered(settings))
    throw new PartsMismatch('a part of the platform needs Kafka and Redis: with embedded parts all parts run in one process');
  if (!usesWarehouse(roles)) return () => Promise.resolve(noWarehouse);
  const isDivided = warehouseRoles.some((role) => !roles.has(role));
  if (isDivided && settings.cluster.clickhouseUrl === '')
    throw new PartsMismatch(
      `--only ${[...roles].join(',')} needs HUQI_CLICKHOUSE_URL: the embedded warehouse is one process's own, so http and archive must run together on it`,
    );
  return async (state) => {
    if (isClustered(settings) && settings.cluster.clickhouseUrl === '') await claimWarehouse(state, settings.dataDir);
    const warehouse = await openWarehouse(settings);
    try {
      await warehouse.migrate();
      return warehouse;
    } catch (error) {
      // A server that is away now holds nothing up: the archive makes its tables when it is back.
      if (error instanceof Unavailable && settings.cluster.clickhouseUrl !== '') {
        onAbsent(error);
        return warehouse;
      }
      await warehouse.close();
      throw error;
    }
  };
}

const away = () => Promise.reject(new Unavailable('this process has no warehouse: neither http nor archive runs in it'));

/** Of a process that needs none. */
const noWarehouse: Warehouse = {
  migrate: away,
  insert: away,
  query: away,
  lines: () => {
    throw new Unavailable('this process has no warehouse: neither http nor archive runs in it');
  },
  close: () => Promise.resolve(),
};
