import { describe, expect, it } from 'vitest';
import { openEnvironment } from '../../../src/adapters/lmdb-environment.js';
import { createLmdbState } from '../../../src/adapters/state/lmdb.js';
import { describeStateContract } from '../../contracts/state.contract.js';
import { temporaryDirectory } from '../temporary-directory.js';

describeStateContract('LMDB', async () => {
  const directory = temporaryDirectory();
  const environment = openEnvironment({ directory: directory.path });
  return {
    state: createLmdbState(environment),
    other: createLmdbState(environment),
    opener: { module: new URL('../openers.ts', import.meta.url).href, config: directory.path },
    close: async () => {
      await environment.close();
      directory.remove();
    },
  };
});

describe('the embedded state', () => {
  it('refuses a key that is too long, and a slot that is no name, before anything is written', async () => {
    const directory = temporaryDirectory();
    const environment = openEnvironment({ directory: directory.path });
    const state = createLmdbState(environment);
    const put = (key: string) => [{ key, value: Buffer.from('1') }];
    await expect(state.commit('s', { put: [...put('good'), ...put('x'.repeat(2_000))] })).rejects.toThrow(/at most 1978/);
    await expect(state.commit('s', { put: put('警'.repeat(700)) })).rejects.toThrow(/at most 1978/);
    await expect(state.commit('', { put: put('a') })).rejects.toThrow(/slot/);
    await expect(state.commit('a\0b', { put: put('a') })).rejects.toThrow(/slot/);
    expect(await state.get('s', ['good'])).toEqual([null]);
    expect(await state.commit('s', { put: put('x'.repeat(1_976)) })).toBe('committed');
    await environment.close();
    directory.remove();
  });

  it('looks at no keys but those that are asked for, however many others stand behind them', async () => {
    const directory = temporaryDirectory();
    const environment = openEnvironment({ directory: directory.path });
    let looked = 0;
    const state = createLmdbState({
      ...environment,
      textTable: (name) => {
        const table = environment.textTable(name);
        return new Proxy(table, {
          get: (_, property) => {
            if (property !== 'getKeys') return Reflect.get(table, property, table) as unknown;
            return (range: Parameters<typeof table.getKeys>[0]) => table.getKeys(range).map((key) => (looked++, key));
          },
        });
      },
    });
    const many = Array.from({ length: 500 }, (_, i) => ({ key: `n/${i}`, value: Buffer.from('1') }));
    await state.commit('b', { put: many });
    await state.commit('a', { put: [{ key: 'k/1', value: Buffer.from('1') }, ...many] });
    expect(await state.scan('a', { prefix: 'k/', limit: 10_000 })).toHaveLength(1);
    expect(await state.scan('a', { prefix: 'l/', limit: 10_000 })).toEqual([]);
    expect(looked).toBe(1);
    expect(await state.scan('a', { prefix: '', limit: 10_000 })).toHaveLength(501);
    expect(looked).toBe(502);
    await environment.close();
    directory.remove();
  });
});
