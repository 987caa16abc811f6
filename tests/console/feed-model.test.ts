import { beforeEach, describe, expect, test } from 'vitest';
import { createFeedModel, type FeedFilter, type FeedModel } from '../../src/console/feed-model.js';
import { presentWarning } from '../../src/http/present.js';
import { makeWarning } from '../http/support.js';

const all: FeedFilter = { levels: new Set(), side: null, text: '' };
let model: FeedModel;
beforeEach(() => {
  model = createFeedModel(5, (warning) => `${warning.subject.name} ${warning.id}`);
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
    [4, 4],
    [5, 5],
    [6, 5],
  ])('of %i warnings a window of five holds %i', (raised, held) => {
    for (let i = 0; i < raised; i++) raise(`w${i}`);
    expect(ids()).toHaveLength(held);
    expect(ids()[0]).toBe(`w${raised - 1}`);
  });

  test('what waits is bounded too, but all of it is counted', () => {
    raise('old');
    model.freeze();
    for (let i = 0; i < 12; i++) raise(`w${i}`);
    expect(model.waiting).toBe(12);
    expect(ids()).toEqual(['old']);
    model.resume();
    expect(ids()).toEqual(['w11', 'w10', 'w9', 'w8', 'w7']);
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
