import type { Warehouse } from '../../src/ports/warehouse.js';
import type { Network } from './network.js';
import type { Incarnation, World } from './world.js';

/** Rows as the warehouse has them: an insert under a token that it still remembers is passed over, whatever its rows. */
export interface WarehouseServer {
  insert(table: string, rows: Uint8Array, token: string): void;
  /** One row per id, the last or the highest revision. */
  final(table: string): Map<string, Row>;
}

export interface Row {
  readonly id: string;
  readonly revision?: number;
  readonly [column: string]: unknown;
}

/** Tokens remembered for each table. */
const tokensKept = 20;
const decoder = new TextDecoder();

export function createWarehouseServer(world: World): WarehouseServer {
  const tables = new Map<string, { readonly rows: Row[]; tokens: { token: string; text: string }[] }>();

  function of(table: string) {
    let found = tables.get(table);
    if (!found) tables.set(table, (found = { rows: [], tokens: [] }));
    return found;
  }

  return {
    insert(table, bytes, token) {
      const { rows, tokens } = of(table);
      const text = decoder.decode(bytes);
      const known = tokens.find((one) => one.token === token);
      if (known) {
        world.count('a slice came again and was known');
        if (known.text !== text) world.count('a slice came again with other rows');
        return;
      }
      const before = new Set(rows.map(({ id }) => id));
      const inserted = text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Row);
      if (inserted.some(({ id }) => before.has(id))) world.count('rows were stored twice and hidden by their id');
      rows.push(...inserted);
      tokens.push({ token, text });
      if (tokens.length > tokensKept) tokens.shift();
    },
    final(table) {
      const last = new Map<string, Row>();
      for (const row of of(table).rows) {
        const key = table === 'transactions' ? `${row.id} ${String(row['bank'])}` : row.id;
        if ((row.revision ?? 0) >= (last.get(key)?.revision ?? 0)) last.set(key, row);
      }
      return last;
    },
  };
}

export function createWarehouseClient(server: WarehouseServer, network: Network, owner: Incarnation): Warehouse {
  const no = () => Promise.reject(new Error('nothing is asked here'));
  return {
    migrate: () => Promise.resolve(),
    insert: (table, rows, token) =>
      network.call(owner, {
        part: 'warehouse',
        kind: 'insert',
        what: `insert ${table} ${token}`,
        steps: [{ all: () => server.insert(table, rows, token), half: () => undefined }],
        answer: () => undefined,
      }),
    query: no,
    lines: () => {
      throw new Error('nothing is asked here');
    },
    close: () => Promise.resolve(),
  };
}
