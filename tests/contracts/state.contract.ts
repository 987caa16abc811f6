import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { State } from '../../src/ports/state.js';
import { startChild, type Opener } from './child-process.js';

export interface StateUnderTest {
  readonly state: State;
  /** Another handle on the same store, as another member of the cluster has. */
  readonly other: State;
  /** Opens the same store in another process. */
  readonly opener: Opener;
  close(): Promise<void>;
}

const bytes = (text: string) => Buffer.from(text);
const text = (value: Uint8Array | null | undefined) => (value ? Buffer.from(value).toString() : null);

/** The state port's promises. `make` gives an empty store. */
export function describeStateContract(name: string, make: () => Promise<StateUnderTest>): void {
  describe(`state: ${name}`, () => {
    let made: StateUnderTest;
    let state: State;
    beforeEach(async () => {
      made = await make();
      state = made.state;
    });
    afterEach(() => made.close());

    const put = (slot: string, entries: Record<string, string>) =>
      state.commit(slot, { put: Object.entries(entries).map(([key, value]) => ({ key, value: bytes(value) })) });
    const getText = async (slot: string, ...keys: string[]) => (await state.get(slot, keys)).map(text);

    describe('get and commit', () => {
      it('gives values in the order of the keys asked for, and null where there is none', async () => {
        await put('s', { a: '1', c: '3' });
        expect(await getText('s', 'c', 'b', 'a', 'c')).toEqual(['3', null, '1', '3']);
        expect(await state.get('s', [])).toEqual([]);
      });

      it('keeps slots apart, even where slot and key together would read the same', async () => {
        await put('ab', { c: '1' });
        await put('a', { bc: '2' });
        expect(await getText('a', 'bc', 'c')).toEqual(['2', null]);
        expect(await getText('ab', 'c')).toEqual(['1']);
        expect((await state.scan('a', { prefix: '', limit: 10 })).map(({ key }) => key)).toEqual(['bc']);
      });

      it('returns keys and values byte for byte', async () => {
        const values = [Uint8Array.from({ length: 256 }, (_, i) => i), new Uint8Array(0), Buffer.alloc(3_000_000, 0x5a)];
        const keys = ['控制/键 é', 'with space\nand line\ttab', 'x'.repeat(500)];
        await state.commit('s', { put: keys.map((key, i) => ({ key, value: values[i]! })) });
        const got = await state.get('s', keys);
        expect(got.map((value, i) => (value ? Buffer.compare(value, values[i]!) : 'missing'))).toEqual([0, 0, 0]);
        const scanned = await state.scan('s', { prefix: '', limit: 10 });
        expect(scanned.map(({ key }) => key).sort()).toEqual([...keys].sort());
      });

      it('leaves what was read unchanged by later reads and commits', async () => {
        await put('s', { a: 'first', b: 'x'.repeat(100_000) });
        const [a, b] = await state.get('s', ['a', 'b']);
        await put('s', { a: 'later', b: 'y'.repeat(100_000) });
        await state.get('s', ['a', 'b']);
        expect([text(a), text(b)]).toEqual(['first', 'x'.repeat(100_000)]);
      });

      it('overwrites and deletes', async () => {
        await put('s', { a: '1', b: '2' });
        expect(await state.commit('s', { put: [{ key: 'a', value: bytes('9') }], delete: ['b', 'never there'] })).toBe(
          'committed',
        );
        expect(await getText('s', 'a', 'b')).toEqual(['9', null]);
      });

      it('takes a change of nothing', async () => {
        expect(await state.commit('s', {})).toBe('committed');
      });

      it('takes a thousand keys at once', async () => {
        const entries = Array.from({ length: 1_000 }, (_, i) => ({ key: `k${i}`, value: bytes(`${i}`) }));
        const change = { expect: entries.map(({ key }) => ({ key, value: null })), put: entries };
        expect(await state.commit('s', change)).toBe('committed');
        expect(await state.commit('s', change)).toBe('conflict');
        expect(
          (
            await state.get(
              's',
              entries.map(({ key }) => key),
            )
          ).map(text),
        ).toEqual(entries.map((_, i) => `${i}`));
      });

      it('shows a commit to every other member as soon as it has resolved', async () => {
        for (let i = 0; i < 50; i++) {
          await put('s', { a: `${i}` });
          expect(text((await made.other.get('s', ['a']))[0])).toBe(`${i}`);
          expect(text((await made.other.scan('s', { prefix: 'a', limit: 1 }))[0]?.value)).toBe(`${i}`);
        }
      });
    });

    describe('compare and set', () => {
      it('commits where the key holds exactly what is expected', async () => {
        await put('s', { a: '1' });
        const change = { expect: [{ key: 'a', value: bytes('1') }], put: [{ key: 'a', value: bytes('2') }] };
        expect(await state.commit('s', change)).toBe('committed');
        expect(await state.commit('s', change)).toBe('conflict');
        expect(await getText('s', 'a')).toEqual(['2']);
      });

      it.each([
        ['a longer value', '1', '12'],
        ['a shorter value', '12', '1'],
        ['an empty value where there is one', '1', ''],
        ['a value where there is an empty one', '', '1'],
      ])('refuses %s', async (_, stored, expected) => {
        await put('s', { a: stored });
        expect(
          await state.commit('s', { expect: [{ key: 'a', value: bytes(expected) }], put: [{ key: 'a', value: bytes('x') }] }),
        ).toBe('conflict');
        expect(await getText('s', 'a')).toEqual([stored]);
      });

      it('tells an absent key from an empty value', async () => {
        await put('s', { empty: '' });
        const putX = [{ key: 'x', value: bytes('x') }];
        expect(await state.commit('s', { expect: [{ key: 'empty', value: null }], put: putX })).toBe('conflict');
        expect(await state.commit('s', { expect: [{ key: 'absent', value: bytes('') }], put: putX })).toBe('conflict');
        expect(
          await state.commit('s', {
            expect: [
              { key: 'empty', value: bytes('') },
              { key: 'absent', value: null },
            ],
            put: putX,
          }),
        ).toBe('committed');
      });

      it('applies nothing of a change where one of its expectations fails', async () => {
        await put('s', { a: '1', b: '2' });
        const result = await state.commit('s', {
          expect: [
            { key: 'a', value: bytes('1') },
            { key: 'b', value: bytes('other') },
          ],
          put: [
            { key: 'a', value: bytes('changed') },
            { key: 'c', value: bytes('new') },
          ],
          delete: ['b'],
        });
        expect(result).toBe('conflict');
        expect(await getText('s', 'a', 'b', 'c')).toEqual(['1', '2', null]);
      });

      it('lets exactly one of many concurrent claims win', async () => {
        const claims = Array.from({ length: 40 }, (_, i) =>
          (i % 2 ? state : made.other).commit('s', {
            expect: [{ key: 'claim', value: null }],
            put: [{ key: 'claim', value: bytes(`${i}`) }],
          }),
        );
        const results = await Promise.all(claims);
        expect(results.filter((result) => result === 'committed')).toHaveLength(1);
        expect(await getText('s', 'claim')).toEqual([`${results.indexOf('committed')}`]);
      });

      it('counts right when two processes race', async () => {
        const racers = [1, 2].map(() => startChild(made.opener, 'increment', '200'));
        await Promise.all(racers.map((racer) => racer.ended()));
        expect(await getText('race', 'counter')).toEqual(['400']);
      });
    });

    describe('durability', () => {
      it('has everything that was acknowledged to a process that was then killed, each commit whole', async () => {
        const child = startChild(made.opener, 'commit-forever');
        await child.printed(50);
        await child.kill();
        const acknowledged = Number(child.lines.at(-1));
        const [a, b] = await getText('durable', 'a', 'b');
        expect(Number(a)).toBeGreaterThanOrEqual(acknowledged);
        expect(b).toBe(a);
        const numbers = await state.scan('durable', { prefix: 'n/', limit: 100_000 });
        expect(numbers.map(({ value }) => Number(text(value)))).toEqual(Array.from({ length: Number(a) + 1 }, (_, i) => i));
      });
    });

    describe('scan', () => {
      it('gives the keys with the prefix in byte order, each once', async () => {
        const keys = ['p/a', 'p/b', 'p/ab', 'p/', 'p/é', 'p/你', 'p/Z', 'p/1', 'p/10', 'p/2', 'p/\u{1f600}', 'p/\uffee'];
        await put('s', Object.fromEntries([...keys, 'p', 'o/z', 'q', 'p0'].map((key) => [key, key])));
        const inOrder = [...keys].sort((x, y) => Buffer.compare(bytes(x), bytes(y)));
        const scanned = await state.scan('s', { prefix: 'p/', limit: 100 });
        expect(scanned.map(({ key }) => key)).toEqual(inOrder);
        expect(scanned.map(({ value }) => text(value))).toEqual(inOrder);
      });

      it('goes through everything page by page, at most the limit at a time', async () => {
        const keys = Array.from({ length: 95 }, (_, i) => `k/${String(i).padStart(3, '0')}`);
        await put('s', Object.fromEntries(keys.map((key) => [key, key])));
        const seen: string[] = [];
        const sizes: number[] = [];
        for (;;) {
          const after = seen.at(-1);
          const page = await state.scan('s', { prefix: 'k/', limit: 10, ...(after === undefined ? {} : { after }) });
          if (page.length === 0) break;
          sizes.push(page.length);
          seen.push(...page.map(({ key }) => key));
        }
        expect(seen).toEqual(keys);
        expect(sizes).toEqual([10, 10, 10, 10, 10, 10, 10, 10, 10, 5]);
      });

      it('resumes after a cursor that is no longer there, and before or beyond all keys', async () => {
        await put('s', { 'k/1': '', 'k/3': '', 'k/5': '', 'l/1': '' });
        const after = async (cursor: string) =>
          (await state.scan('s', { prefix: 'k/', after: cursor, limit: 10 })).map(({ key }) => key);
        expect(await after('k/2')).toEqual(['k/3', 'k/5']);
        expect(await after('k/3')).toEqual(['k/5']);
        expect(await after('a')).toEqual(['k/1', 'k/3', 'k/5']);
        expect(await after('k/5')).toEqual([]);
        expect(await after('z')).toEqual([]);
      });

      it('sees deletions, and gives nothing for an unknown prefix, an unknown slot or a limit of nothing', async () => {
        await put('s', { 'k/1': '', 'k/2': '' });
        await state.commit('s', { delete: ['k/1'] });
        expect((await state.scan('s', { prefix: 'k/', limit: 10 })).map(({ key }) => key)).toEqual(['k/2']);
        expect(await state.scan('s', { prefix: 'nothing', limit: 10 })).toEqual([]);
        expect(await state.scan('unknown', { prefix: '', limit: 10 })).toEqual([]);
        expect(await state.scan('s', { prefix: '', limit: 0 })).toEqual([]);
      });

      it('ends where the prefix does, whatever it ends in', async () => {
        const ends = ['/', '\u007f', 'é', '你', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}', 'x\u{10ffff}\u{10ffff}'];
        const keys = ends.flatMap((end) => ['', '0', '~', '\u{10ffff}'].map((rest) => `${end}${rest}`));
        await put('s', Object.fromEntries([...new Set(keys)].map((key) => [key, key])));
        await put('s2', { a: '1' });
        for (const prefix of ['', ...ends]) {
          const wanted = [...new Set(keys)].filter((key) => key.startsWith(prefix));
          const scanned = (await state.scan('s', { prefix, limit: 100 })).map(({ key }) => key);
          expect(scanned, JSON.stringify(prefix)).toEqual(wanted.sort((x, y) => Buffer.compare(bytes(x), bytes(y))));
        }
      });

      it('takes characters that a pattern language would treat as special as they are', async () => {
        await put('s', { 'a*b': '1', 'a?b': '2', 'a[1]b': '3', axb: '4' });
        expect((await state.scan('s', { prefix: 'a*', limit: 10 })).map(({ key }) => key)).toEqual(['a*b']);
        expect((await state.scan('s', { prefix: 'a[1]', limit: 10 })).map(({ key }) => key)).toEqual(['a[1]b']);
      });
    });
  });
}
