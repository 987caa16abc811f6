import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { diffSets, diffVersions } from '../../src/pipeline/pattern-diff.js';
import { createPatternStore, type CommandOutcome, type PatternStore } from '../../src/pipeline/pattern-store.js';
import { setId } from '../../src/scoring/pattern-set.js';
import { temporaryEmbedded } from '../support/embedded.js';
import { patternText } from '../support/pattern-text.js';
import { workingDays } from '../support/patterns.js';

const nowMs = Date.parse('2026-07-01T00:00:00Z');
const file = (text: string, name = 'T01-peculiar.yaml') => ({ file: name, text });
const seeds = [file(patternText()), file(patternText({ id: 'T02', fen: 500 }), 'T02-other.yaml')];

let parts: ReturnType<typeof temporaryEmbedded>;
let store: PatternStore;
beforeEach(async () => {
  parts = temporaryEmbedded();
  store = createPatternStore(parts.state, workingDays);
  await store.seed(seeds, nowMs);
});
afterEach(() => parts.remove());

const propose = (text: string, by = 'Li', note?: string) => store.propose([file(text)], by, nowMs, note);
const standing = async () =>
  Object.fromEntries(
    Object.entries((await store.life()).lines).map(([id, { active, shadows, draft }]) => [id, { active, shadows, draft }]),
  );
const inForce = async () =>
  (await store.current()).patterns.map(({ pattern, state }) => `${pattern.id}@${pattern.version} ${state}`);
const done = (outcome: CommandOutcome) => {
  if (outcome.kind !== 'done') throw new Error(JSON.stringify(outcome));
  return outcome.entry;
};
const second = patternText({ version: 2, fen: 900 });

describe('a proposal', () => {
  test('stands beside the active version, which stays in force, and the set does not change', async () => {
    const before = await store.currentId();
    expect(await propose(second)).toMatchObject({ kind: 'proposed', set: before, changed: ['T01'] });
    expect((await standing())['T01']).toEqual({ active: 1, shadows: [], draft: 2 });
    expect(await inForce()).toEqual(['T01@1 active', 'T02@1 active']);
  });

  test('of the same text is no change; another text under the same version is refused with its place', async () => {
    await propose(second);
    expect(await propose(second)).toMatchObject({ kind: 'proposed', same: ['T01'] });
    expect((await store.life()).revision).toBe(2);
    expect(await propose(patternText({ version: 2, fen: 901 }))).toMatchObject({
      kind: 'broken',
      problems: [
        { line: 2, path: 'version', message: 'T01 was pushed up to version 2 with another text; raise the version to 3' },
      ],
    });
  });

  test('whose example fails is refused with the example’s place', async () => {
    const wrong = second.replace('yuan: 9 ', 'yuan: 8 ');
    expect(wrong).not.toBe(second);
    const line = wrong.split('\n').findIndex((text) => text.includes('"the peculiar amount"')) + 1;
    expect(await propose(wrong)).toMatchObject({
      kind: 'broken',
      problems: [{ line, path: 'examples.hits.0', message: 'example "the peculiar amount" must hit but does not' }],
    });
    expect((await standing())['T01']).toEqual({ active: 1, shadows: [], draft: undefined });
  });

  test('that is newer retires the older one, and one that wants to be retired is refused', async () => {
    await propose(second);
    await propose(patternText({ version: 3, fen: 901 }));
    expect((await standing())['T01']).toEqual({ active: 1, shadows: [], draft: 3 });
    expect(await propose(patternText({ version: 4, state: 'retired' }))).toMatchObject({
      kind: 'broken',
      problems: [{ path: 'state' }],
    });
  });
});

describe('a second person', () => {
  test('is needed to put a proposal into force; however the first one writes their name', async () => {
    await propose(second, 'Li Wei');
    for (const name of ['Li Wei', ' li  wei ', 'ＬＩ WEI']) {
      expect(await store.command({ kind: 'activate', pattern: 'T01', version: 2 }, name, nowMs)).toEqual({
        kind: 'refused',
        reason: 'T01 version 2 was proposed by Li Wei; a second person must put it into force, with a key of their own',
      });
    }
    expect(await inForce()).toEqual(['T01@1 active', 'T02@1 active']);
    const entry = done(await store.command({ kind: 'activate', pattern: 'T01', version: 2 }, 'Wang', nowMs, 'looked at it'));
    expect(entry).toMatchObject({ how: 'activated', by: 'Wang', note: 'looked at it', revision: 3 });
    expect(entry.moves).toEqual([
      { pattern: 'T01', version: 2, from: 'draft', to: 'active' },
      { pattern: 'T01', version: 1, from: 'active', to: 'retired' },
    ]);
    expect(await inForce()).toEqual(['T01@2 active', 'T02@1 active']);
  });

  test('is needed by every way into force: by shadow, by rollback, by a proposal of a new pattern', async () => {
    await propose(second);
    await store.command({ kind: 'shadow', pattern: 'T01' }, 'Li', nowMs);
    expect(await store.command({ kind: 'activate', pattern: 'T01' }, 'Li', nowMs)).toMatchObject({ kind: 'refused' });
    expect(await store.command({ kind: 'rollback', pattern: 'T01', version: 2 }, 'Li', nowMs)).toMatchObject({ kind: 'refused' });
    await propose(patternText({ id: 'T03', fen: 77 }));
    expect(await store.command({ kind: 'activate', pattern: 'T03' }, 'Li', nowMs)).toMatchObject({ kind: 'refused' });
    await store.command({ kind: 'retire', pattern: 'T01', version: 2 }, 'Li', nowMs);
    expect(await store.command({ kind: 'activate', pattern: 'T01', version: 2 }, 'Li', nowMs)).toMatchObject({ kind: 'refused' });
    expect(await inForce()).toEqual(['T01@1 active', 'T02@1 active']);
  });

  test('is not needed to go back to what was in force before', async () => {
    await propose(second);
    done(await store.command({ kind: 'activate', pattern: 'T01' }, 'Wang', nowMs));
    done(await store.command({ kind: 'rollback', pattern: 'T01' }, 'Li', nowMs));
    expect(await inForce()).toEqual(['T01@1 active', 'T02@1 active']);
    done(await store.command({ kind: 'rollback', pattern: 'T01' }, 'Li', nowMs));
    expect(await inForce()).toEqual(['T01@2 active', 'T02@1 active']);
  });
});

describe('shadows', () => {
  test('run beside the active version and beside each other, each under its own name', async () => {
    const alone = await store.currentId();
    await propose(second);
    done(await store.command({ kind: 'shadow', pattern: 'T01' }, 'Li', nowMs));
    await propose(patternText({ version: 3, fen: 901 }));
    done(await store.command({ kind: 'shadow', pattern: 'T01' }, 'Li', nowMs));
    expect((await inForce()).toSorted()).toEqual(['T01@1 active', 'T01@2 shadow', 'T01@3 shadow', 'T02@1 active']);
    const files = (await store.set(await store.currentId()))!.sources.map((source) => source.file);
    expect(files.toSorted()).toEqual(['T01-peculiar.yaml', 'T01-peculiar@2.yaml', 'T01-peculiar@3.yaml', 'T02-other.yaml']);
    for (const version of [2, 3]) done(await store.command({ kind: 'retire', pattern: 'T01', version }, 'Li', nowMs));
    expect(await store.currentId()).toBe(alone);
  });

  test('of which it is not said which is meant are asked for by name', async () => {
    await propose(second);
    await store.command({ kind: 'shadow', pattern: 'T01' }, 'Li', nowMs);
    await propose(patternText({ version: 3, fen: 901 }));
    expect(await store.command({ kind: 'activate', pattern: 'T01' }, 'Wang', nowMs)).toEqual({
      kind: 'refused',
      reason: 'T01 has versions 2, 3 waiting; name the one that is meant',
    });
  });
});

describe('the set', () => {
  test('goes back in one step to any set that was in force, and not to one that never was', async () => {
    const first = await store.currentId();
    await propose(second);
    done(await store.command({ kind: 'activate', pattern: 'T01' }, 'Wang', nowMs));
    done(await store.command({ kind: 'retire', pattern: 'T02' }, 'Wang', nowMs));
    expect(await inForce()).toEqual(['T01@2 active']);
    expect(done(await store.command({ kind: 'rollback-set', set: first }, 'Li', nowMs)).set).toBe(first);
    expect(await inForce()).toEqual(['T01@1 active', 'T02@1 active']);
    done(await store.command({ kind: 'rollback-set' }, 'Li', nowMs));
    expect(await store.command({ kind: 'rollback-set', set: 'ffffffffffffffff' }, 'Li', nowMs)).toMatchObject({
      kind: 'unknown',
    });
  });

  test('of the first release is taken over with its texts, and stays under its id', async () => {
    const old = temporaryEmbedded();
    try {
      const sources = [...seeds, file(patternText({ id: 'T03', state: 'draft' }), 'T03-new.yaml')];
      const id = setId(sources);
      const set = { id, by: 'Li', at: '2026-06-01T00:00:00.000Z', previous: null, sources };
      const put = [
        { key: `set/${id}`, value: Buffer.from(JSON.stringify(set)) },
        { key: 'current', value: Buffer.from(id) },
      ];
      await old.state.commit('patterns', { put });
      const taken = createPatternStore(old.state, workingDays);
      expect(await taken.seed(seeds, nowMs)).toBe('kept');
      expect(await taken.currentId()).toBe(id);
      expect((await taken.life()).lines).toMatchObject({ T01: { active: 1, activated: { by: 'seed' } }, T03: { draft: 1 } });
      expect(await taken.version('T01', 1)).toMatchObject({ text: seeds[0]!.text, version: { proposed: { by: 'Li' } } });
      done(await taken.command({ kind: 'activate', pattern: 'T03' }, 'Wang', nowMs));
      expect((await taken.load(id)).patterns.map(({ pattern }) => pattern.id)).toEqual(['T01', 'T02', 'T03']);
      done(await taken.command({ kind: 'rollback-set', set: id }, 'Wang', nowMs));
      expect((await taken.current()).patterns.map(({ pattern }) => pattern.id)).toEqual(['T01', 'T02']);
    } finally {
      await old.remove();
    }
  });
});

describe('the history', () => {
  test('has who, what, when and why of every change, newest first, page by page and by pattern', async () => {
    for (let version = 2; version <= 12; version++)
      await propose(patternText({ version, fen: 900 + version }), 'Li', `try ${version}`);
    done(await store.command({ kind: 'retire', pattern: 'T02' }, 'Wang', nowMs, 'of no use'));
    const all = await store.log({ limit: 100 });
    expect(all.next).toBeNull();
    expect(all.entries.map(({ revision }) => revision)).toEqual([13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(all.entries[0]).toMatchObject({ how: 'retired', by: 'Wang', note: 'of no use', at: '2026-07-01T00:00:00.000Z' });
    expect(all.entries.at(-1)).toMatchObject({ how: 'seeded', by: 'seed' });
    const paged: number[] = [];
    for (let before: number | undefined; before !== 0;) {
      const { entries, next }: Awaited<ReturnType<PatternStore['log']>> = await store.log({ limit: 4, before });
      paged.push(...entries.map(({ revision }) => revision));
      before = next ?? 0;
    }
    expect(paged).toEqual(all.entries.map(({ revision }) => revision));
    expect((await store.log({ limit: 100, pattern: 'T02' })).entries.map(({ revision }) => revision)).toEqual([13, 1]);
    expect((await store.versions('T01')).map(({ version, note }) => `${version} ${note ?? ''}`)).toContain('7 try 7');
  });

  test('loses no update of people who change at the same time', async () => {
    const people = Array.from({ length: 4 }, (_, n) =>
      createPatternStore(parts.state, workingDays).propose(
        [file(patternText({ id: `T1${n}`, fen: 100 + n }), `T1${n}.yaml`)],
        `person ${n}`,
        nowMs,
      ),
    );
    const outcomes = await Promise.all(people);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['proposed', 'proposed', 'proposed', 'proposed']);
    const life = await store.life();
    expect(Object.keys(life.lines).filter((id) => life.lines[id]!.draft === 1)).toEqual(['T10', 'T11', 'T12', 'T13']);
    expect((await store.log({ limit: 10 })).entries).toHaveLength(5);
  });
});

describe('differences', () => {
  test('say first what matters, then show the lines', () => {
    const found = diffVersions('T01', { version: 1, text: patternText() }, { version: 2, text: second.replace('high', 'low') });
    expect(found).toMatchObject({
      condition: false,
      params: [{ name: 'peculiarFen', from: 12_345_677, to: 900 }],
      parts: ['severity', 'examples'],
    });
    expect(found.text).toContain('--- T01 version 1\n+++ T01 version 2\n');
    expect(found.text).toContain('\n-severity: high\n+severity: low\n');
    const other = patternText({ version: 2, when: 'tx.amountFen >= params.peculiarFen' });
    expect(diffVersions('T01', { version: 1, text: patternText() }, { version: 2, text: other }).condition).toBe(true);
    expect(diffVersions('T01', { version: 1, text: second }, { version: 1, text: second }).text).toBe('');
  });

  test('between sets name what came, what went, what changed and what changed its state only', () => {
    const shadowed = { ...seeds[1]!, state: 'shadow' as const };
    const found = diffSets([seeds[0]!, seeds[1]!], [file(second), shadowed, file(patternText({ id: 'T03' }), 'T03.yaml')]);
    expect(found).toMatchObject({ added: ['T03'], removed: [], changed: [{ pattern: 'T01', from: 1, to: 2 }] });
    expect(found.states).toEqual([{ pattern: 'T02', from: 'active', to: 'shadow' }]);
    expect(diffSets(seeds, [seeds[0]!]).removed).toEqual(['T02']);
  });
});
