import { describe, expect, test } from 'vitest';
import { createIdempotencyStore } from '../../src/http/idempotency.js';

function counting(options: { entriesMax?: number; charactersMax?: number } = {}) {
  const clock = { nowMs: 1_000 };
  const store = createIdempotencyStore<string>({ entriesMax: 100, keepMs: 500, now: () => clock.nowMs, ...options });
  let acted = 0;
  const ask = (key: string, answer = 'done', content: unknown = 'same'): Promise<string> =>
    store.once(key, content, () => {
      acted++;
      return Promise.resolve(`${answer} ${acted}`);
    });
  return { clock, ask, acted: () => acted };
}

describe('an answer to a command', () => {
  test('is given again to the same request, done once, and refused to another one', async () => {
    const { ask, acted } = counting();
    expect(await Promise.all([ask('a'), ask('a')])).toEqual(['done 1', 'done 1']);
    expect(await ask('a')).toBe('done 1');
    await expect(ask('a', 'done', 'other')).rejects.toMatchObject({ status: 422 });
    expect(acted()).toBe(1);
  });

  test('is kept for its time, and among so many', async () => {
    const { clock, ask } = counting({ entriesMax: 2 });
    await ask('a');
    clock.nowMs += 500;
    expect(await ask('a')).toBe('done 2');
    await ask('b');
    await ask('c');
    expect(await ask('a')).toBe('done 5');
    expect(await ask('c')).toBe('done 4');
  });

  test('takes no more room than all may take: the oldest go, the latest stays however long it is', async () => {
    const { ask } = counting({ charactersMax: 100 });
    await ask('a', 'x'.repeat(40));
    await ask('b', 'x'.repeat(40));
    expect(await ask('a')).toMatch(/ 1$/);
    await ask('c', 'x'.repeat(40));
    expect(await ask('b')).toMatch(/ 2$/);
    expect(await ask('a')).toMatch(/ 4$/);
    await ask('d', 'x'.repeat(1_000));
    expect(await ask('d')).toMatch(/ 5$/);
    expect(await ask('c')).toMatch(/ 6$/);
  });

  test('that failed is forgotten', async () => {
    const store = createIdempotencyStore<number>({ entriesMax: 2, keepMs: 500, now: () => 0 });
    await expect(store.once('a', 1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await store.once('a', 1, () => Promise.resolve(2))).toBe(2);
  });
});
