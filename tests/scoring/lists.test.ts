import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatShanghai } from '../../src/domain/bank-day.js';
import type { ListChange } from '../../src/domain/reference.js';
import { createLists } from '../../src/scoring/lists.js';
import { hashBytes } from '../../src/scoring/transaction-view.js';

const startMs = Date.parse('2026-07-01T00:00:00+08:00');
const at = (minute: number): string => formatShanghai(startMs + minute * 60_000);
const atMs = (minute: number): number => startMs + minute * 60_000;

interface Short {
  readonly list: string;
  readonly action: 'add' | 'remove';
  readonly entries: string[];
  readonly time: number;
  readonly from?: number | undefined;
  readonly until?: number | undefined;
}

function changeOf(short: Short, id = 'c-1'): ListChange {
  return {
    id,
    type: 'list',
    list: short.list,
    action: short.action,
    entries: short.entries,
    time: at(short.time),
    ...(short.from === undefined ? {} : { from: at(short.from) }),
    ...(short.until === undefined ? {} : { until: at(short.until) }),
  };
}

/** All changes in a heap; the decision that counts is looked for anew each time. */
function createSlowLists() {
  const taken: Short[] = [];
  return {
    take(short: Short): void {
      for (const entry of short.entries) {
        const own = { ...short, entries: [entry] };
        if (!taken.some((other) => contents(other) === contents(own))) taken.push(own);
      }
    },
    has(list: string, entry: string, minute: number): boolean {
      const decided = taken
        .filter((change) => change.list === list && change.entries[0] === entry)
        .filter((change) => (change.from ?? change.time) <= minute && minute < (change.until ?? Infinity))
        .toSorted((a, b) => a.time - b.time)
        .at(-1);
      return decided?.action === 'add';
    },
  };
}
const contents = (c: Short): string => JSON.stringify([c.list, c.entries, c.action, c.time, c.from ?? c.time, c.until ?? 'ever']);

const minute = fc.integer({ min: 0, max: 12 });
const names = ['ab', 'case-accounts', 'black'];
const texts = ['4100001', '4100002', '郑州华信商贸有限公司', '😀', ' '];
const short = fc.record({
  list: fc.constantFrom(...names),
  action: fc.constantFrom('add' as const, 'add' as const, 'remove' as const),
  entries: fc.array(fc.constantFrom(...texts), { minLength: 1, maxLength: 3 }),
  time: minute,
  from: fc.option(minute, { nil: undefined }),
  until: fc.option(minute, { nil: undefined }),
});

describe('lists', () => {
  it('answer at any time as a search through all changes does, in whatever order they came and however often', () => {
    const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(`"${text}"`);
    fc.assert(
      fc.property(fc.array(short, { maxLength: 25 }), fc.array(fc.nat(), { maxLength: 10 }), (changes, again) => {
        const lists = createLists();
        const slow = createSlowLists();
        const all = [...changes, ...(changes.length > 0 ? again.map((i) => changes[i % changes.length]!) : [])];
        for (const change of all) {
          lists.take(changeOf(change));
          slow.take(change);
        }
        for (const name of names) {
          const list = lists.numberOf(name);
          expect(lists.isKnown(list)).toBe(changes.some((change) => change.list === name));
          for (const text of texts)
            for (let m = -1; m <= 13; m++) {
              const expected = slow.has(name, text, m);
              expect(lists.hasText(list, text, atMs(m))).toBe(expected);
              const bytes = bytesOf(text);
              const hash = hashBytes(bytes, 1, bytes.length - 1);
              expect(lists.hasBytes(list, bytes, 1, bytes.length - 1, hash, atMs(m))).toBe(expected);
            }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('hold an entry from `from` on and no longer at `until`', () => {
    const lists = createLists();
    lists.take(changeOf({ list: 'black', action: 'add', entries: ['x'], time: 0, from: 49, until: 51 }));
    const list = lists.numberOf('black');
    expect([48, 49, 50, 51].map((m) => lists.hasText(list, 'x', atMs(m)))).toEqual([false, true, true, false]);
  });

  it('know the past of an entry that was taken off and put on again', () => {
    const lists = createLists();
    const take = (action: 'add' | 'remove', time: number) =>
      lists.take(changeOf({ list: 'otc', action, entries: ['x'], time }, `${action}-${time}`));
    take('add', 10);
    take('remove', 20);
    take('add', 30);
    take('remove', 40);
    const list = lists.numberOf('otc');
    expect([9, 10, 19, 20, 29, 30, 39, 40].map((m) => lists.hasText(list, 'x', atMs(m)))).toEqual([
      false,
      true,
      true,
      false,
      false,
      true,
      true,
      false,
    ]);
  });

  it('put a removal that comes late in its place', () => {
    const lists = createLists();
    lists.take(changeOf({ list: 'otc', action: 'add', entries: ['x'], time: 30 }));
    lists.take(changeOf({ list: 'otc', action: 'remove', entries: ['x'], time: 20 }));
    lists.take(changeOf({ list: 'otc', action: 'add', entries: ['x'], time: 10 }));
    const list = lists.numberOf('otc');
    expect([15, 25, 35].map((m) => lists.hasText(list, 'x', atMs(m)))).toEqual([true, false, true]);
  });

  it('know no list that was only asked about, and give a name one number', () => {
    const lists = createLists();
    const list = lists.numberOf('white');
    expect(lists.numberOf('white')).toBe(list);
    expect(lists.isKnown(list)).toBe(false);
    expect(lists.isKnown(99)).toBe(false);
    expect(lists.hasText(list, 'x', atMs(0))).toBe(false);
    expect(lists.hasText(99, 'x', atMs(0))).toBe(false);
  });

  it('keep an entry that is sent anew each day for three years, without growing', () => {
    const lists = createLists();
    const list = lists.numberOf('black');
    const day = 24 * 60;
    for (let i = 0; i < 100; i++) lists.take(changeOf({ list: 'black', action: 'add', entries: ['x'], time: i * day }));
    const bytes = lists.bytesUsed();
    for (let i = 100; i < 1100; i++) lists.take(changeOf({ list: 'black', action: 'add', entries: ['x'], time: i * day }));
    expect(lists.bytesUsed()).toBe(bytes);
    expect([-1, 0, 500, 1200].map((i) => lists.hasText(list, 'x', atMs(i * day)))).toEqual([false, true, true, true]);
  });

  it('forget the oldest of more than 64 changes that say different things, and then do not take it again', () => {
    const lists = createLists();
    const list = lists.numberOf('black');
    const change = (i: number) =>
      changeOf({ list: 'black', action: 'add', entries: ['x'], time: i, from: i * 10, until: i * 10 + 1 });
    for (let i = 0; i < 65; i++) lists.take(change(i));
    lists.take(change(0));
    expect([0, 1, 64].map((i) => lists.hasText(list, 'x', atMs(i * 10)))).toEqual([false, true, true]);
  });

  it('tell ten thousand entries apart', () => {
    const lists = createLists();
    const entries = Array.from({ length: 10_000 }, (_, i) => `62220${i}`);
    for (let i = 0; i < entries.length; i += 1000)
      lists.take(changeOf({ list: 'black', action: 'add', entries: entries.slice(i, i + 1000), time: 0 }));
    const list = lists.numberOf('black');
    expect(entries.every((entry) => lists.hasText(list, entry, atMs(1)))).toBe(true);
    expect(entries.some((entry) => lists.hasText(list, `${entry}x`, atMs(1)))).toBe(false);
    expect(lists.bytesUsed()).toBeGreaterThan(10_000 * 40);
  });
});
