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
});
