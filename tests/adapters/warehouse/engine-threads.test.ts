import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { expect, test } from 'vitest';
import { openChdbWarehouse } from '../../../src/adapters/warehouse/chdb.js';
import { engineNiceness } from '../../../src/adapters/warehouse/engine-threads.js';
import { temporaryDirectory } from '../temporary-directory.js';

/** Name → niceness of each thread of this process. */
function threads(): { readonly name: string; readonly niceness: number }[] {
  return readdirSync('/proc/self/task').map((thread) => ({
    name: readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').trim(),
    niceness: getPriority(Number(thread)),
  }));
}

test.runIf(existsSync('/proc/self/task'))(
  'threads of the engine let the rest of the process go first, and no other thread does',
  async () => {
    const directory = temporaryDirectory();
    const before = getPriority();
    const warehouse = await openChdbWarehouse({ directory: directory.path });
    await warehouse.migrate();
    for (let i = 0; i < 3; i++) {
      const row = `{"id":"event-${i}","type":"test","subject":"","time":"2026-07-01T00:00:00+08:00","data":"{}"}\n`;
      await warehouse.insert('events', Buffer.from(row), `token-${i}`);
    }
    // Those of its statements follow the statement's own setting where the process may raise a priority again.
    const merging = threads().filter(({ name }) => name === 'MergeMutate');
    expect(merging.length).toBeGreaterThan(0);
    expect(merging.filter(({ niceness }) => niceness < engineNiceness())).toEqual([]);
    expect(getPriority()).toBe(before);
    const others = threads().filter(({ name }) => name.startsWith('node'));
    expect(others.length).toBeGreaterThan(4);
    expect(others.filter(({ niceness }) => niceness !== before)).toEqual([]);
    await warehouse.close();
    directory.remove();
  },
);
