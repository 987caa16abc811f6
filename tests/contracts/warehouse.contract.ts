import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Warehouse } from '../../src/ports/warehouse.js';
import { startChild, type Opener } from './child-process.js';

export interface WarehouseUnderTest {
  readonly warehouse: Warehouse;
  /** Opens another, empty warehouse in a process of its own. */
  readonly elsewhere: Opener;
  close(): Promise<void>;
}

const encode = (rows: readonly object[]) => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));

/** The warehouse port's promises. `make` gives an empty warehouse; it is made once, for an engine may live only once in a process. */
export function describeWarehouseContract(name: string, make: () => Promise<WarehouseUnderTest>): void {
  describe(`warehouse: ${name}`, () => {
    let made: WarehouseUnderTest;
    let warehouse: Warehouse;
    beforeAll(async () => {
      made = await make();
      warehouse = made.warehouse;
      await warehouse.migrate();
    });
    afterAll(() => made.close());

    const event = (id: string, more: object = {}) => ({
      id,
      type: 'test',
      subject: 's',
      time: '2026-07-01T09:30:00+08:00',
      data: '{}',
      ...more,
    });
    const idsOf = (type: string) =>
      warehouse.query<{ id: string }>('SELECT id FROM events FINAL WHERE type = {type:String} ORDER BY id', { type });

    it('may be migrated again, and keeps its rows', async () => {
      await warehouse.insert('events', encode([event('1', { type: 'migrated' })]), 'migrated');
      await warehouse.migrate();
      await warehouse.migrate();
      expect(await idsOf('migrated')).toEqual([{ id: '1' }]);
    });

    it('has every row once the insert has resolved', async () => {
      await warehouse.insert('events', encode([event('b', { type: 'stored' }), event('a', { type: 'stored' })]), 'stored');
      expect(await idsOf('stored')).toEqual([{ id: 'a' }, { id: 'b' }]);
    });

    it('takes a slice of twenty thousand rows', async () => {
      const rows = Array.from({ length: 20_000 }, (_, i) => event(`${i}`, { type: 'many', data: 'x'.repeat(300) }));
      await warehouse.insert('events', encode(rows), 'many');
      expect(await warehouse.query("SELECT count() AS n, uniqExact(id) AS ids FROM events FINAL WHERE type = 'many'")).toEqual([
        { n: 20_000, ids: 20_000 },
      ]);
    });

    it('keeps one copy of a slice that is inserted again under its token', async () => {
      const slice = encode([event('1', { type: 'resent' }), event('2', { type: 'resent' })]);
      for (let i = 0; i < 3; i++) await warehouse.insert('events', slice, 'resent-1');
      expect(await warehouse.query("SELECT count() AS n FROM events FINAL WHERE type = 'resent'")).toEqual([{ n: 2 }]);
    });

    it('keeps one copy of a row even when its slice comes again under another token', async () => {
      const slice = encode([event('1', { type: 'recut' })]);
      await warehouse.insert('events', slice, 'recut-1');
      await warehouse.insert('events', slice, 'recut-2');
      expect(await idsOf('recut')).toEqual([{ id: '1' }]);
    });

    it('keeps equal rows of different slices apart where their ids differ', async () => {
      await warehouse.insert('events', encode([event('1', { type: 'apart' })]), 'apart-1');
      await warehouse.insert('events', encode([event('2', { type: 'apart' })]), 'apart-2');
      expect(await idsOf('apart')).toEqual([{ id: '1' }, { id: '2' }]);
    });

    it('shows the highest revision of a warning, in whatever order the revisions came', async () => {
      const warning = (revision: number, level: string) => ({
        id: 'w1',
        revision,
        level,
        family: 'f',
        status: 'open',
        score: 0.5,
        subject: 's',
        amount_fen: 1,
        hit_count: revision,
        first_time: '2026-07-01T09:30:00+08:00',
        last_time: '2026-07-01T09:30:00+08:00',
        raised_at: '2026-07-01T09:30:01+08:00',
        data: '{}',
      });
      await warehouse.insert('warnings', encode([warning(3, 'red')]), 'w-3');
      await warehouse.insert('warnings', encode([warning(1, 'blue'), warning(2, 'yellow')]), 'w-1');
      expect(await warehouse.query("SELECT level, revision FROM warnings FINAL WHERE id = 'w1'")).toEqual([
        { level: 'red', revision: 3 },
      ]);
    });

    it('returns amounts exactly, small ones as numbers and those that no double holds as text', async () => {
      const big = '9007199254740993';
      await warehouse.insert(
        'transactions',
        Buffer.from(`${transactionJson('t1', big)}\n${transactionJson('t2', '1234500')}\n`),
        'exact',
      );
      const rows = await warehouse.query("SELECT id, amount_fen FROM transactions FINAL WHERE bank = 'exact' ORDER BY id");
      expect(rows).toEqual([
        { id: 't1', amount_fen: big },
        { id: 't2', amount_fen: 1_234_500 },
      ]);
      expect(
        await warehouse.query(
          'SELECT toUInt64(18446744073709551615) AS a, toInt64(-9007199254740993) AS b, [toInt64(1), toInt64(9007199254740993)] AS c, toNullable(toInt64(7)) AS d, CAST(NULL AS Nullable(Int64)) AS e, 1.5 AS f, count() AS g',
        ),
      ).toEqual([{ a: '18446744073709551615', b: '-9007199254740993', c: [1, '9007199254740993'], d: 7, e: null, f: 1.5, g: 1 }]);
    });

    it('understands times with a zone, and gives them back in Shanghai time to the millisecond', async () => {
      const rows = [
        event('1', { type: 'times', time: '2026-07-01T09:30:00.123+08:00' }),
        event('2', { type: 'times', time: '2026-07-01T01:30:00Z' }),
      ];
      await warehouse.insert('events', encode(rows), 'times');
      expect(
        await warehouse.query(
          "SELECT time, toUnixTimestamp64Milli(time) AS ms FROM events FINAL WHERE type = 'times' ORDER BY id",
        ),
      ).toEqual([
        { time: '2026-07-01 09:30:00.123', ms: Date.parse('2026-07-01T01:30:00.123Z') },
        { time: '2026-07-01 09:30:00.000', ms: Date.parse('2026-07-01T01:30:00Z') },
      ]);
    });

    it('throws with the message of the engine, and goes on working', async () => {
      await expect(warehouse.query('SELECT nothing_like_this FROM events')).rejects.toThrow(/nothing_like_this/);
      await expect(warehouse.query('SELEC 1')).rejects.toThrow(/yntax/);
      await expect(warehouse.insert('events', Buffer.from('{"id":"1","type":"broken'), 'broken')).rejects.toThrow(
        /warehouse: insert into events/,
      );
      expect(await idsOf('broken')).toEqual([]);
      await warehouse.insert('events', encode([event('1', { type: 'after' })]), 'after');
      expect(await idsOf('after')).toEqual([{ id: '1' }]);
    });

    it('refuses a table that there is none of, and a table name that is a statement', async () => {
      await expect(warehouse.insert('accounts', encode([event('1')]), 't')).rejects.toThrow(/no table "accounts"/);
      await expect(warehouse.insert('events; DROP TABLE events', encode([event('1')]), 't')).rejects.toThrow(/no table/);
    });

    it.each([
      ['a statement', `'; DROP TABLE events; --`],
      ['quotes and backslashes', `\\' " \` \\\\' \\n`],
      ['a placeholder', `{type:String} %s ? $1`],
      ['line ends and tabs', 'one\ntwo\r\nthree\tfour'],
      ['Chinese and emoji', '河南省郑州市 税务局 😀'],
      ['nothing', ''],
      ['the word for no value', '\\N NULL null'],
    ])('keeps %s as text, as a value and as a parameter', async (_, hostile) => {
      const id = `text-${Buffer.from(hostile).toString('hex')}`;
      await warehouse.insert('events', encode([event(id, { type: 'text', subject: hostile })]), id);
      expect(
        await warehouse.query(
          'SELECT subject, {asked:String} AS asked FROM events FINAL WHERE id = {id:String} AND subject = {asked:String}',
          { id, asked: hostile },
        ),
      ).toEqual([{ subject: hostile, asked: hostile }]);
    });

    it('keeps a token that looks like a statement as a token', async () => {
      const token = `'; DROP TABLE events; -- \\`;
      for (let i = 0; i < 2; i++) await warehouse.insert('events', encode([event('1', { type: 'token' })]), token);
      expect(await idsOf('token')).toEqual([{ id: '1' }]);
    });

    it('binds numbers and lists', async () => {
      const types = ['stored', "o'clock"];
      expect(
        await warehouse.query('SELECT {n:Int64} + 1 AS n, has({types:Array(String)}, {one:String}) AS has', {
          n: 41,
          types,
          one: "o'clock",
        }),
      ).toEqual([{ n: 42, has: 1 }]);
    });

    it('takes an empty slice as done', async () => {
      await warehouse.insert('events', new Uint8Array(0), 'empty');
      await warehouse.insert('events', encode([event('1', { type: 'empty' })]), 'empty-2');
      expect(await idsOf('empty')).toEqual([{ id: '1' }]);
    });

    const textOf = async (chunks: AsyncIterable<Uint8Array>) => {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      return Buffer.concat(parts).toString('utf8');
    };

    it('reads a column line by line in the order of the statement, whatever stands in the texts', async () => {
      const texts = ['{"a":"\\\\n \\\\t"}', "it's \\N \\\\ 100 %", '河南省 😀', '{"b":1}', ''];
      const rows = texts.map((data, i) => event(`${i}`, { type: 'lines', subject: String(9 - i), data }));
      await warehouse.insert('events', encode(rows), 'lines');
      const sql = 'SELECT data FROM events FINAL WHERE type = {type:String} ORDER BY subject';
      expect(await textOf(warehouse.lines(sql, { type: 'lines' }))).toBe(
        texts
          .toReversed()
          .map((text) => `${text}\n`)
          .join(''),
      );
      expect(await textOf(warehouse.lines(sql, { type: "'; DROP TABLE events; --" }))).toBe('');
    });

    it('throws for a statement that fails while reading, and goes on after a reader that stopped early', async () => {
      await expect(textOf(warehouse.lines('SELECT nothing_like_this FROM events'))).rejects.toThrow(/nothing_like_this/);
      // Several times: what the failed statement had written must not come out of the next one.
      for (let time = 0; time < 5; time++) {
        await expect(textOf(warehouse.lines('SELECT toString(throwIf(number = 90000)) FROM numbers(100000)'))).rejects.toThrow();
        expect(await textOf(warehouse.lines('SELECT toString(number) FROM numbers(3)'))).toBe('0\n1\n2\n');
      }
      for await (const chunk of warehouse.lines('SELECT toString(number) FROM numbers(1000000)')) {
        expect(Buffer.from(chunk).toString('latin1')).toMatch(/^0\n1\n2\n/);
        break;
      }
      expect(await textOf(warehouse.lines('SELECT toString(number) FROM numbers(3)'))).toBe('0\n1\n2\n');
    });

    it('answers rightly after a query that failed halfway', async () => {
      for (let time = 0; time < 5; time++) {
        await expect(warehouse.query('SELECT toString(throwIf(number = 90000)) AS a FROM numbers(100000)')).rejects.toThrow();
        expect(await warehouse.query('SELECT toUInt8(number + 7) AS a FROM numbers(2)')).toEqual([{ a: 7 }, { a: 8 }]);
      }
    });

    it('takes inserts and queries at the same time', async () => {
      const work = Array.from({ length: 10 }, (_, i) =>
        i % 2
          ? warehouse.insert('events', encode([event(`${i}`, { type: 'mixed' })]), `mixed-${i}`)
          : warehouse.query('SELECT {i:Int64} AS i', { i }),
      );
      const results = await Promise.all(work);
      expect(results.filter((rows) => rows !== undefined)).toEqual([0, 2, 4, 6, 8].map((i) => [{ i }]));
      expect(await idsOf('mixed')).toHaveLength(5);
    });

    it('keeps every acknowledged slice of a process that was killed, and one copy when all are sent again', async () => {
      const killed = startChild(made.elsewhere, 'insert-slices', '100000');
      await killed.printed(8);
      await killed.kill();
      const slices = killed.lines.length + 1;
      const again = startChild(made.elsewhere, 'insert-slices', `${slices}`);
      await again.ended();
      expect(JSON.parse(again.lines.at(-1) ?? 'null')).toEqual({ rows: slices * 500, ids: slices * 500 });
    });
  });
}

function transactionJson(id: string, amountFen: string): string {
  const row = {
    id,
    bank: 'exact',
    time: '2026-07-01T09:30:00+08:00',
    currency: 'CNY',
    status: 'settled',
    payer_account: '41000001',
    payee_account: '62220001',
  };
  return JSON.stringify({ ...row, received_at: '2026-07-01T09:30:01+08:00', raw: '{}' }).replace(
    /}$/,
    `,"amount_fen":${amountFen}}`,
  );
}
