import { beforeEach, describe, expect, test } from 'vitest';
import { createFeedModel, type FeedFilter, type FeedModel } from '../../src/console/feed-model.js';
import { presentWarning } from '../../src/http/present.js';
import { makeWarning } from '../http/support.js';

const all: FeedFilter = { levels: new Set(), side: null, text: '' };
let model: FeedModel;
beforeEach(() => {
  model = createFeedModel({ closedMax: 5, openMax: 8 }, (warning) => `${warning.subject.name} ${warning.id}`);
});

const raise = (id: string, change: Parameters<typeof makeWarning>[1] = {}) =>
  model.apply(presentWarning(makeWarning(id, change)));
const ids = (filter = all) => model.visible(filter).map(({ id }) => id);

describe('the feed on the page', () => {
  test('shows the newest first, and the same revision again changes nothing', () => {
    expect([raise('a'), raise('b'), raise('a')]).toEqual(['new', 'new', 'stale']);
    expect(ids()).toEqual(['b', 'a']);
  });

  test('a change is shown in place; one that raises the level goes to the top; an older one is dropped', () => {
    raise('a', { level: 'yellow' });
    raise('b');
    expect(raise('a', { revision: 2, level: 'yellow', status: 'acknowledged' })).toBe('updated');
    expect(ids()).toEqual(['b', 'a']);
    raise('a', { revision: 3, level: 'red' });
    expect(ids()).toEqual(['a', 'b']);
    expect(raise('a', { revision: 2, level: 'blue' })).toBe('stale');
    expect(model.get('a')?.level).toBe('red');
  });

  test('while it stands still no row moves and none is lost; then the new ones come on top in order', () => {
    raise('a', { level: 'yellow' });
    raise('b');
    model.freeze();
    raise('c');
    raise('d');
    raise('a', { revision: 2, level: 'red' });
    raise('c', { revision: 2, level: 'orange' });
    expect(ids()).toEqual(['b', 'a']);
    expect(model.get('a')?.level).toBe('red');
    expect(model.waiting).toBe(2);
    model.resume();
    expect(ids()).toEqual(['d', 'c', 'b', 'a']);
    expect(model.get('c')?.level).toBe('orange');
    expect(model.waiting).toBe(0);
  });

  test('an empty list does not stand still, nor does one that was cleared: nothing waits behind a list that says there is nothing', () => {
    model.freeze();
    raise('a');
    expect([model.frozen, model.waiting, ids()]).toEqual([false, 0, ['a']]);
    model.freeze();
    raise('b');
    model.clear();
    raise('c');
    expect([model.frozen, model.waiting, ids()]).toEqual([false, 0, ['c']]);
  });

  test.each([
    ['acknowledged', 4, 4],
    ['acknowledged', 5, 5],
    ['acknowledged', 6, 5],
    ['open', 6, 6],
    ['open', 8, 8],
    ['open', 9, 8],
  ] as const)('of %s warnings, %i of them, it holds %i', (status, raised, held) => {
    for (let i = 0; i < raised; i++) raise(`w${i}`, { status });
    expect(ids()).toHaveLength(held);
    expect(ids()[0]).toBe(`w${raised - 1}`);
    expect(model.isCut).toBe(status === 'open' && raised > held);
  });

  test('an open warning stays whatever comes after it', () => {
    raise('old', { level: 'red' });
    for (let i = 0; i < 40; i++) raise(`w${i}`, { status: 'disposed' });
    expect(ids()).toEqual(['w39', 'w38', 'w37', 'w36', 'w35', 'old']);
    expect([model.open, model.isCut]).toEqual([1, false]);
  });

  test('what is read from the list of open ones takes its place by time, and is no older than what is known', () => {
    const at = (hour: number) => ({ raisedAt: `2026-07-01T${hour}:00:00+08:00` });
    raise('c', at(12));
    raise('b', { ...at(11), revision: 2, status: 'acknowledged' });
    model.fill([at(10), at(11), at(13)].map((time, i) => presentWarning(makeWarning('abd'[i]!, time))));
    expect(ids()).toEqual(['d', 'c', 'b', 'a']);
    expect(model.get('b')?.status).toBe('acknowledged');
    raise('e', at(14));
    raise('between', { ...at(12), revision: 7 });
    expect(ids()).toEqual(['e', 'd', 'between', 'c', 'b', 'a']);
  });

  test('what waits is bounded too, but all of it is counted, and open ones wait longer', () => {
    raise('old');
    model.freeze();
    raise('open');
    for (let i = 0; i < 12; i++) raise(`w${i}`, { status: 'acknowledged' });
    expect(model.waiting).toBe(13);
    expect(ids()).toEqual(['old']);
    model.resume();
    expect(ids()).toEqual(['w11', 'w10', 'w9', 'w8', 'open', 'old']);
    expect(model.get('w0')).toBeUndefined();
  });

  test('filters combine: level, side, and every word of the text', () => {
    raise('a', { level: 'red', side: 'mule' });
    raise('b', { level: 'red' });
    raise('c', { level: 'blue' });
    expect(ids({ ...all, levels: new Set(['red']) })).toEqual(['b', 'a']);
    expect(ids({ ...all, levels: new Set(['red']), side: 'mule' })).toEqual(['a']);
    expect(ids({ ...all, text: '华信  c' })).toEqual(['c']);
    expect(ids({ ...all, text: '华信 没有' })).toEqual([]);
  });
});
