import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryEmbedded, valuesOn } from '../../support/embedded.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const put = (key: string, value = key) => ({ put: [{ key, value: bytes(value) }] });
const record = (text: string) => ({ topic: 'warnings', partition: 0, value: bytes(text) }) as const;

let parts: ReturnType<typeof temporaryEmbedded>;

beforeEach(() => {
  parts = temporaryEmbedded();
});
afterEach(() => parts.remove());

describe('state and log in one store', () => {
  test('commits of several slots and records become visible at once', async () => {
    const arrived = parts.log.waitFor('warnings', 0, 0, 5_000);
    const result = await together(
      [
        { slot: 'a', change: put('x') },
        { slot: 'b', change: put('y') },
      ],
      [record('1'), record('2')],
    );
    expect(result).toBe('committed');
    expect(await arrived).toBe(true);
    expect(await parts.state.get('a', ['x'])).toEqual([bytes('x')]);
    expect(await parts.state.get('b', ['y'])).toEqual([bytes('y')]);
    expect(await recordsOnLog()).toEqual(['1', '2']);
  });

  test('where one expectation of any slot does not hold, nothing of it is written', async () => {
    await parts.state.commit('b', put('owner', 'other'));
    const result = await together(
      [
        { slot: 'a', change: put('x') },
        { slot: 'b', change: { expect: [{ key: 'owner', value: bytes('me') }], ...put('y') } },
      ],
      [record('1')],
    );
    expect(result).toBe('conflict');
    expect(await parts.state.get('a', ['x'])).toEqual([null]);
    expect(await parts.state.get('b', ['y'])).toEqual([null]);
    expect(await recordsOnLog()).toEqual([]);
  });

  test('a record that cannot be taken leaves the state as it was', async () => {
    const huge = { topic: 'warnings', partition: 9, value: bytes('1') } as const;
    await expect(together([{ slot: 'a', change: put('x') }], [huge])).rejects.toThrow(/there is no such partition/);
    expect(await parts.state.get('a', ['x'])).toEqual([null]);
  });

  test('of many that expect the same, one wins, and its records alone are there', async () => {
    const contenders = Array.from({ length: 8 }, (_, n) =>
      together(
        [{ slot: 'a', change: { expect: [{ key: 'owner', value: null }], ...put('owner', `${n}`) } }],
        [record(`${n}`), record(`${n}`)],
      ),
    );
    const results = await Promise.all(contenders);
    expect(results.filter((result) => result === 'committed')).toHaveLength(1);
    const winner = `${results.indexOf('committed')}`;
    expect(await parts.state.get('a', ['owner'])).toEqual([bytes(winner)]);
    expect(await recordsOnLog()).toEqual([winner, winner]);
  });
});

function together(...args: Parameters<NonNullable<typeof parts.oneStore.together>>) {
  return parts.oneStore.together!(...args);
}

async function recordsOnLog(): Promise<string[]> {
  return (await valuesOn(parts.log, 'warnings', 0)).map((value) => Buffer.from(value).toString());
}
