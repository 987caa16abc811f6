/** What a process of its own does in the contract suites: it works until it is killed, and says what was acknowledged. */
import { writeSync } from 'node:fs';
import type { Log } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import type { Warehouse } from '../../src/ports/warehouse.js';

interface OpenerModule {
  openLog(config: unknown): Promise<Log>;
  openState(config: unknown): Promise<State>;
  openWarehouse(config: unknown): Promise<Warehouse>;
}

const [modulePath = '', config = 'null', task = '', ...parameters] = process.argv.slice(2);
const opener = (await import(modulePath)) as OpenerModule;
const settings: unknown = JSON.parse(config);

/** Written at once, so that a line that the parent has read was printed before the kill. */
const say = (line: string) => void writeSync(1, `${line}\n`);

const tasks: Record<string, () => Promise<void>> = {
  /** Appends 0, 1, 2 … to two partitions at a time, several appends in flight. */
  'append-forever': async () => {
    const log = await opener.openLog(settings);
    let next = 0;
    const worker = async () => {
      for (;;) {
        const number = next++;
        const value = Buffer.alloc(2_000, 0x20);
        value.write(`${number}`);
        await log.append([0, 1].map((partition) => ({ topic: 'transactions', partition, value })));
        say(`${number}`);
      }
    };
    await Promise.all([worker(), worker(), worker()]);
  },

  'append-once': async () => {
    const log = await opener.openLog(settings);
    await log.append([{ topic: 'hits', partition: 0, value: Buffer.from(parameters[0] ?? '') }]);
    say('appended');
    process.exit(0);
  },

  /** Commits three keys of one number at a time. */
  'commit-forever': async () => {
    const state = await opener.openState(settings);
    for (let number = 0; ; number++) {
      const value = Buffer.from(`${number}`);
      await state.commit('durable', { put: ['a', 'b', `n/${String(number).padStart(8, '0')}`].map((key) => ({ key, value })) });
      say(`${number}`);
    }
  },

  /** Adds one to a shared counter by compare-and-set, as often as asked. */
  increment: async () => {
    const state = await opener.openState(settings);
    let conflicts = 0;
    for (let done = 0; done < Number(parameters[0]);) {
      const [value = null] = await state.get('race', ['counter']);
      const next = Buffer.from(`${Number(value === null ? 0 : Buffer.from(value).toString()) + 1}`);
      const result = await state.commit('race', { expect: [{ key: 'counter', value }], put: [{ key: 'counter', value: next }] });
      if (result === 'committed') done++;
      else conflicts++;
    }
    say(`${conflicts}`);
    process.exit(0);
  },

  /** Inserts slices 0, 1, 2 … of 500 events, each under its token; ends after `parameters[0]` slices and prints what is stored. */
  'insert-slices': async () => {
    const warehouse = await opener.openWarehouse(settings);
    await warehouse.migrate();
    for (let slice = 0; slice < Number(parameters[0]); slice++) {
      const rows = Array.from({ length: 500 }, (_, i) => ({
        id: `${slice}-${i}`,
        type: 'slice',
        subject: `${slice}`,
        time: '2026-07-01T09:30:00+08:00',
        data: '{}',
      }));
      await warehouse.insert('events', Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join('')), `slice-${slice}`);
      say(`${slice}`);
    }
    const [counts] = await warehouse.query<{ rows: number; ids: number }>(
      'SELECT count() AS rows, uniqExact(id) AS ids FROM events FINAL WHERE type = {type:String}',
      { type: 'slice' },
    );
    say(JSON.stringify(counts));
    await warehouse.close();
    process.exit(0);
  },
};

const run = tasks[task];
if (!run) throw new Error(`there is no task "${task}"`);
await run();
