import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatShanghai } from '../../src/domain/bank-day.js';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { encodeTransaction } from '../../src/domain/transaction-record.js';
import { createEngine } from '../../src/scoring/engine.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { createFirms, type Firms, thingKey } from '../../src/scoring/shared-firms.js';
import { createSharedUse } from '../../src/scoring/shared-use.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { askingPattern } from '../support/pattern-text.js';
import { compileOrThrow } from '../support/patterns.js';
import { scoreOne } from '../support/score-one.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const startMs = Date.parse('2026-07-01T00:00:00+08:00');
const never = -1e15;

const time = fc.constantFrom(0, 1, hourMs - 1, hourMs, hourMs + 1, 2 * hourMs, 30 * hourMs, 90 * dayMs).map((ms) => startMs + ms);

describe('things an account uses', () => {
  it('are remembered as in a list of all uses, late ones included', () => {
    const use = fc.record({
      account: fc.constantFrom(0, 3, 200_000),
      kind: fc.constantFrom(0, 1, 7),
      key: fc.constantFrom(11, 12, 2 ** 52),
      timeMs: time,
    });
    fc.assert(
      fc.property(fc.array(use, { maxLength: 40 }), (uses) => {
        const shared = createSharedUse();
        const told: typeof uses = [];
        for (const [i, each] of uses.entries()) {
          const isSame = (other: (typeof uses)[0]): boolean =>
            other.account === each.account && other.kind === each.kind && other.key === each.key;
          const before = uses.slice(0, i);
          const isToTell = !told.some((other) => isSame(other) && each.timeMs - other.timeMs < hourMs);
          if (isToTell) told.push(each);
          expect(shared.note(each.account, each.kind, each.key, each.timeMs)).toBe(isToTell);
          expect(shared.lastMs(each.account, each.kind, each.key)).toBe(
            Math.max(never, ...before.filter(isSame).map(({ timeMs }) => timeMs)),
          );
          expect(shared.hasOthers(each.account, each.kind, each.key)).toBe(
            before.some((other) => other.account === each.account && other.kind === each.kind && other.key !== each.key),
          );
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are told on first use and then once an hour while they go on being used', () => {
    const shared = createSharedUse();
    const told = Array.from({ length: 13 }, (_, i) => shared.note(1, 0, 5, startMs + i * 10 * 60_000));
    expect(told.map((is, i) => (is ? i : -1)).filter((i) => i >= 0)).toEqual([0, 6, 12]);
  });

  it('are new to an account that never used any, without others', () => {
    const shared = createSharedUse();
    expect(shared.lastMs(4, 2, 9)).toBe(never);
    expect(shared.hasOthers(4, 2, 9)).toBe(false);
    shared.note(4, 2, 9, startMs);
    expect(shared.lastMs(4, 2, 9)).toBe(never);
    expect(shared.hasOthers(4, 2, 9)).toBe(false);
    expect(shared.hasOthers(4, 2, 8)).toBe(true);
    expect(shared.hasOthers(4, 1, 8)).toBe(false);
  });

  it('are 32 of a kind at most: the one unused longest is forgotten, and its room used again', () => {
    const shared = createSharedUse();
    for (let key = 1; key <= 32; key++) shared.note(1, 0, key, startMs + key);
    shared.note(1, 0, 1, startMs + 100);
    const bytes = shared.bytesUsed();
    shared.note(1, 0, 33, startMs + 101);
    shared.note(1, 0, 2, startMs + 102);
    expect(shared.lastMs(1, 0, 2)).toBe(never);
    shared.note(1, 0, 1, startMs + 103);
    expect(shared.lastMs(1, 0, 1)).toBe(startMs + 100);
    for (let key = 50; key < 500; key++) shared.note(1, 0, key, startMs + 1000 + key);
    expect(shared.bytesUsed()).toBe(bytes);
  });
});

/** `device:a` as the engine names it. */
function keyOf(thing: string): number {
  const [shared, value] = thing.split(':') as ['device' | 'ip' | 'mac', string];
  return thingKey(shared, value);
}

function use(firms: Firms, thing: string, firm: string, account: string, timeMs: number): void {
  firms.use(keyOf(thing), firms.nameOfText(firm), firms.nameOfText(account), timeMs);
}

describe('enterprises that share a thing', () => {
  const aUse = fc.record({
    key: fc.constantFrom('device:a', 'ip:10.0.0.1'),
    firm: fc.constantFrom('F1', 'F2', 'F3'),
    account: fc.constantFrom('4100001', '4100002', '4100003', '4100004'),
    timeMs: time,
  });

  it('are counted as in a list of all uses, in any order', () => {
    fc.assert(
      fc.property(fc.array(aUse, { maxLength: 40 }), fc.array(time, { minLength: 2, maxLength: 6 }), (uses, times) => {
        const firms = createFirms();
        for (const { key, firm, account, timeMs } of uses) use(firms, key, firm, account, timeMs);
        for (const key of ['device:a', 'ip:10.0.0.1', 'mac:none']) {
          const own = uses.filter((each) => each.key === key);
          const latest = (account: string): number =>
            Math.max(...own.filter((each) => each.account === account).map(({ timeMs }) => timeMs));
          const told = firms.accountsOf(keyOf(key));
          expect(new Set(told)).toEqual(new Set(own.map(({ account }) => account)));
          expect(told.length).toBe(new Set(told).size);
          expect(told.map(latest)).toEqual(told.map(latest).toSorted((a, b) => b - a));
          for (const atMs of times) {
            // Four uses of a pair are kept.
            const later = own.filter(({ timeMs }) => timeMs > atMs);
            const pairs = later.map(({ firm, account }) => later.filter((o) => o.firm === firm && o.account === account));
            if (pairs.some((each) => new Set(each.map(({ timeMs }) => timeMs)).size >= 4)) continue;
            for (const sinceMs of times) {
              const inside = own.filter(({ timeMs }) => timeMs > sinceMs && timeMs <= atMs);
              expect(firms.firms(keyOf(key), sinceMs, atMs)).toBe(new Set(inside.map(({ firm }) => firm)).size);
              expect(firms.accounts(keyOf(key), sinceMs, atMs)).toBe(new Set(inside.map(({ account }) => account)).size);
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('count after the beginning of a window and up to its end', () => {
    const firms = createFirms();
    use(firms, 'ip:1', 'F', 'A', startMs);
    expect([-1, 0, 1].map((ms) => firms.firms(keyOf('ip:1'), startMs - 1, startMs + ms))).toEqual([0, 1, 1]);
    expect([-1, 0, 1].map((ms) => firms.firms(keyOf('ip:1'), startMs + ms, startMs + hourMs))).toEqual([1, 0, 0]);
  });

  it('are kept for the 128 accounts that used the thing last and are told, latest first', () => {
    const firms = createFirms();
    for (let i = 0; i < 1_100; i++) use(firms, 'ip:1', `F${i}`, `A${i}`, startMs + i);
    use(firms, 'ip:1', 'F-late', 'A-late', startMs);
    expect(firms.firms(keyOf('ip:1'), 0, startMs + dayMs)).toBe(128);
    expect(firms.firms(keyOf('ip:1'), 0, startMs + 1_000)).toBe(29);
    const told = firms.accountsOf(keyOf('ip:1'));
    expect([told.length, told[0], told.at(-1)]).toEqual([128, 'A1099', 'A972']);
  });

  it('are forgotten with things that nobody used for 400 days, and the room is used again', () => {
    const firms = createFirms();
    const fill = (year: number) => {
      for (let i = 0; i < 4_096; i++)
        use(firms, `device:${year}-${i}`, `F${year}-${i}`, `A${year}-${i}`, startMs + year * 500 * dayMs);
    };
    fill(1);
    const bytes = firms.bytesUsed();
    for (const year of [2, 3, 4, 5]) fill(year);
    expect(firms.bytesUsed()).toBeLessThan(bytes * 2.1);
    expect(firms.firms(keyOf('device:1-7'), 0, Infinity)).toBe(0);
    expect(firms.accountsOf(keyOf('device:5-4095'))).toEqual(['A5-4095']);
    expect(firms.accountsOf(keyOf('device:5-0'))).toEqual(['A5-0']);
  });

  it('keep the numbers of their names while there is nothing to forget: no sweep works for nothing', () => {
    const firms = createFirms();
    for (let i = 0; i < 20_000; i++) use(firms, `device:${i}`, `F${i}`, `A${i}`, startMs + i);
    expect([firms.nameOfText('F0'), firms.nameOfText('A0'), firms.nameOfText('A19999')]).toEqual([0, 1, 39_999]);
  });

  it('are found whatever the order in which their payments come, where they are of one day', () => {
    const set = compileOrThrow([{ file: 'T01.yaml', text: askingPattern({ on: 'use', when: 'use.firms("24h") >= 3' }) }]);
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 1_439 }), { minLength: 3, maxLength: 6 });
    fc.assert(
      fc.property(minutes, fc.infiniteStream(fc.nat()), (some, choices) => {
        const engine = createEngine(set);
        const order = some
          .map((minute, firm) => ({ minute, firm, place: choices.next().value }))
          .toSorted((a, b) => a.place - b.place);
        const hits: Hit[] = [];
        for (const { minute, firm } of order) {
          const found = scoreOne(engine, {
            id: `t-${firm}`,
            time: formatShanghai(startMs + minute * 60_000),
            amountFen: 100,
            payer: { account: `1000${firm}`, kind: 'corporate' },
            payee: { account: '2000', kind: 'corporate' },
            device: { id: 'd-1' },
          });
          hits.push(...found);
        }
        // The one that makes it three, and everyone after it: each by itself, once.
        expect(hits.map(({ transaction }) => transaction)).toEqual(order.slice(2).map(({ firm }) => `t-${firm}`));
        expect(hits.map(({ late }) => late)).toEqual(
          order.slice(2).map(({ minute }, i) => order.slice(0, i + 2).filter((one) => one.minute < minute).length < 2),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('are one thing however its text is written', () => {
    const engine = createEngine(
      compileOrThrow([{ file: 'T01.yaml', text: askingPattern({ on: 'use', when: 'use.firms("24h") >= 2' }) }]),
    );
    const hitsOf = (account: string, device: string): Hit[] => {
      const plain = new TextDecoder().decode(
        encodeTransaction({
          id: `t-${account}`,
          time: '2026-07-01T10:00:00+08:00',
          amountFen: 100,
          currency: 'CNY',
          status: 'settled',
          payer: { account, kind: 'corporate' },
          payee: { account: '2000', kind: 'corporate' },
          device: { id: 'DEVICE' },
        }),
      );
      const bytes = Buffer.from(plain.replace('DEVICE', device));
      const view = new TransactionView();
      expect(scanTransaction(bytes, 0, bytes.length, view)).toBe(true);
      const hits: Hit[] = [];
      engine.score(view, role.debit | role.credit, 0, 0, hits);
      return hits;
    };
    expect(hitsOf('1001', 'd-1')).toEqual([]);
    expect(hitsOf('1002', 'd\\u002d1')).toMatchObject([{ subject: { kind: 'device', id: 'd-1' } }]);
    expect(hitsOf('1003', 'd-1')).toMatchObject([{ subject: { kind: 'device', id: 'd-1' } }]);
  });
});
