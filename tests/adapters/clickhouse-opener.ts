/** Opens the warehouse on a server in a process of its own, for the contract suite. */
import { openClickHouseWarehouse, type ClickHouseOptions } from '../../src/adapters/warehouse/clickhouse.js';
import type { Warehouse } from '../../src/ports/warehouse.js';

export function openWarehouse(options: ClickHouseOptions): Warehouse {
  return openClickHouseWarehouse(options);
}
