import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataDirectoryError } from '../../../src/adapters/data-directory.js';
import { openChdbWarehouse } from '../../../src/adapters/warehouse/chdb.js';
import type { Warehouse } from '../../../src/ports/warehouse.js';
import { startChild } from '../../contracts/child-process.js';
import { describeWarehouseContract } from '../../contracts/warehouse.contract.js';
import { temporaryDirectory } from '../temporary-directory.js';

const opener = new URL('../openers.ts', import.meta.url).href;
const directory = temporaryDirectory();
afterAll(() => directory.remove());

let opened: Warehouse;

describeWarehouseContract('chdb', async () => {
  opened = await openChdbWarehouse({ directory: join(directory.path, 'here') });
  return {
    warehouse: opened,
    elsewhere: { module: opener, config: join(directory.path, 'elsewhere') },
    close: () => opened.close(),
  };
});

describe('the embedded warehouse', () => {
  it('leaves the event loop free while it stores, and is not held up by a long query', async () => {
    const warehouse = await openChdbWarehouse({ directory: join(directory.path, 'here') });
    await warehouse.migrate();
    const row = { type: 'free', subject: 's', time: '2026-07-01T09:30:00+08:00', data: 'x'.repeat(400) };
    const rows = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `${JSON.stringify({ id: `${i}`, ...row })}\n`).join(''));
    let longestMs = 0;
    let lastMs = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    let queryEnded = false;
    const query = warehouse.query('SELECT sum(sipHash64(number)) AS s FROM numbers(60000000)').then(() => (queryEnded = true));
    await warehouse.insert('events', rows, 'free');
    expect(queryEnded).toBe(false);
    clearInterval(timer);
    expect(longestMs).toBeLessThan(100);
    await query;
    await warehouse.close();
  });

  it('refuses a directory that another process uses, in one sentence that names the process', async () => {
    const holder = await openChdbWarehouse({ directory: join(directory.path, 'here') });
    const child = startChild({ module: opener, config: join(directory.path, 'here') }, 'insert-slices', '1');
    await expect(child.ended()).rejects.toThrow(
      new RegExp(`WarehouseUnavailable: The warehouse directory .* process ${process.pid} uses it`),
    );
    await holder.close();
  });

  it('refuses a directory that cannot be made', async () => {
    await expect(openChdbWarehouse({ directory: '/proc/huqi' })).rejects.toThrow(DataDirectoryError);
  });
});
