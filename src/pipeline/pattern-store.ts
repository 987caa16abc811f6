import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { State } from '../ports/state.js';
import { parsePattern, patternStates, type Pattern, type PatternProblem } from '../scoring/pattern.js';
import { compilePatternSet, setId, type PatternSet, type PatternSource } from '../scoring/pattern-set.js';
import type { WorkingDays } from '../scoring/window.js';

/**
 * The pattern sets, kept in the state store: every set that was ever in force under its id, and which one is now.
 * The files under `config/patterns/` only seed an empty store.
 */
export interface PatternStore {
  currentId(): Promise<string>;
  /** Compiled and cached. Throws `PatternSetUnknown`. */
  load(id: string): Promise<PatternSet>;
  current(): Promise<PatternSet>;
  /** Puts these files into the set in force, each in place of the pattern of the same id. All or nothing. */
  push(sources: readonly PatternSource[], by: string, atMs: number): Promise<PushResult>;
  /** Puts the files that ship into an empty store. */
  seed(sources: readonly PatternSource[], atMs: number): Promise<'seeded' | 'kept'>;
}

export type PushResult =
  | {
      readonly kind: 'in-force';
      readonly set: PatternSet;
      readonly added: readonly string[];
      readonly changed: readonly string[];
      readonly same: readonly string[];
    }
  | { readonly kind: 'broken'; readonly problems: readonly PatternProblem[] }
  | { readonly kind: 'refused'; readonly reason: string };

export class PatternSetUnknown extends Error {
  readonly retriable = false;
  constructor(id: string) {
    super(`pattern set ${id} is not in the store; restore the state store from its backup`);
    this.name = 'PatternSetUnknown';
  }
}

export class PatternSetBroken extends Error {
  readonly retriable = false;
  constructor(readonly problems: readonly PatternProblem[]) {
    super(`the pattern set does not load:\n${problems.map(describeProblem).join('\n')}`);
    this.name = 'PatternSetBroken';
  }
}

/** `V01.yaml:12:7 when: unknown field "tx.amount"; did you mean "tx.amountFen"?` */
export function describeProblem({ file, line, column, path, message }: PatternProblem): string {
  return `${file}:${line}:${column}${path ? ` ${path}:` : ''} ${message}`;
}

const slot = 'patterns';
const storedSet = z.object({
  id: z.string(),
  by: z.string(),
  at: z.string(),
  previous: z.string().nullable(),
  sources: z.array(z.object({ file: z.string(), text: z.string(), state: z.enum(patternStates).optional() })),
});
type StoredSet = z.infer<typeof storedSet>;
const pushTriesMax = 5;
const cachedSetsMax = 8;

export function createPatternStore(state: State, workingDays: WorkingDays): PatternStore {
  const cache = new Map<string, Promise<PatternSet>>();

  async function currentId(): Promise<string> {
    const [value] = await state.get(slot, ['current']);
    if (!value) throw new PatternSetUnknown('(none)');
    return text(value);
  }

  async function stored(id: string): Promise<StoredSet> {
    const [value] = await state.get(slot, [`set/${id}`]);
    if (!value) throw new PatternSetUnknown(id);
    return storedSet.parse(JSON.parse(text(value)));
  }

  async function compileStored(id: string): Promise<PatternSet> {
    const result = compilePatternSet((await stored(id)).sources as PatternSource[], workingDays);
    if (result.kind === 'broken') throw new PatternSetBroken(result.problems);
    // Named as it was stored: a later release may word its hash differently, a journal may not.
    return { ...result.set, id };
  }

  function load(id: string): Promise<PatternSet> {
    const known = cache.get(id);
    if (known) return known;
    const loading = compileStored(id);
    cache.set(id, loading);
    loading.catch(() => cache.delete(id));
    for (const old of cache.keys()) if (cache.size > cachedSetsMax) cache.delete(old);
    return loading;
  }

  async function put(
    sources: readonly PatternSource[],
    by: string,
    atMs: number,
    previous: string | null,
  ): Promise<'committed' | 'conflict'> {
    const id = setId(sources);
    const set: StoredSet = { id, by, at: new Date(atMs).toISOString(), previous, sources: sources as StoredSet['sources'] };
    return state.commit(slot, {
      expect: [{ key: 'current', value: previous === null ? null : bytes(previous) }],
      put: [
        { key: `set/${id}`, value: bytes(JSON.stringify(set)) },
        { key: 'current', value: bytes(id) },
      ],
    });
  }

  return {
    currentId,
    load,
    current: async () => load(await currentId()),
    async push(pushed, by, atMs) {
      for (let attempt = 0; attempt < pushTriesMax; attempt++) {
        const before = await currentId();
        const { sources } = await stored(before);
        const merged = merge(sources as PatternSource[], pushed);
        if (merged.kind !== 'merged') return merged;
        const result = compilePatternSet(merged.sources, workingDays);
        if (result.kind === 'broken') return { kind: 'broken', problems: result.problems };
        const { added, changed, same } = merged;
        if (result.set.id === before) return { kind: 'in-force', set: result.set, added, changed, same };
        if ((await put(merged.sources, by, atMs, before)) === 'committed')
          return { kind: 'in-force', set: result.set, added, changed, same };
      }
      return { kind: 'refused', reason: 'the pattern set kept changing while this push was under way; try again' };
    },
    async seed(sources, atMs) {
      const [value] = await state.get(slot, ['current']);
      if (value) return 'kept';
      const result = compilePatternSet(sources, workingDays);
      if (result.kind === 'broken') throw new PatternSetBroken(result.problems);
      return (await put(sources, 'seed', atMs, null)) === 'committed' ? 'seeded' : 'kept';
    },
  };
}

type Merge =
  | {
      readonly kind: 'merged';
      readonly sources: PatternSource[];
      readonly added: string[];
      readonly changed: string[];
      readonly same: string[];
    }
  | { readonly kind: 'broken'; readonly problems: PatternProblem[] }
  | { readonly kind: 'refused'; readonly reason: string };

/** A changed pattern needs a higher version: hits name it, and the same version must always mean the same condition. */
function merge(present: readonly PatternSource[], pushed: readonly PatternSource[]): Merge {
  const byId = new Map<string, { source: PatternSource; pattern: Pattern }>();
  const problems: PatternProblem[] = [];
  for (const source of present) {
    const result = parsePattern(source.text, source.file);
    if (result.kind === 'parsed') byId.set(result.parsed.pattern.id, { source, pattern: result.parsed.pattern });
  }
  const added: string[] = [];
  const changed: string[] = [];
  const same: string[] = [];
  for (const source of pushed) {
    const result = parsePattern(source.text, source.file);
    if (result.kind === 'broken') {
      problems.push(...result.problems);
      continue;
    }
    const { pattern } = result.parsed;
    const earlier = byId.get(pattern.id);
    if (!earlier) added.push(pattern.id);
    else if (earlier.source.text === source.text) {
      // The earlier file name stays: the set's id holds it, and nothing has changed.
      same.push(pattern.id);
      continue;
    } else if (pattern.version <= earlier.pattern.version) {
      const at = result.parsed.expressionAt(['version']).position(0);
      const message = `${pattern.id} is in force as version ${earlier.pattern.version} with another text; raise the version to ${earlier.pattern.version + 1}`;
      problems.push({ file: source.file, ...at, path: 'version', message });
      continue;
    } else changed.push(pattern.id);
    // Only the name: where it lay on somebody's machine is nobody's business.
    byId.set(pattern.id, { source: { ...source, file: basename(source.file) }, pattern });
  }
  if (problems.length > 0) return { kind: 'broken', problems };
  return { kind: 'merged', sources: [...byId.values()].map(({ source }) => source), added, changed, same };
}

/** The pattern files of a directory, or one file. Throws the file system's error for a path that is not there. */
export async function readPatternFiles(path: string): Promise<PatternSource[]> {
  if (/\.ya?ml$/.test(path)) return [{ file: path, text: await readFile(path, 'utf8') }];
  const names = (await readdir(path)).filter((name) => /\.ya?ml$/.test(name)).toSorted();
  return Promise.all(names.map(async (name) => ({ file: name, text: await readFile(join(path, name), 'utf8') })));
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytes = (value: string): Uint8Array => encoder.encode(value);
const text = (value: Uint8Array): string => decoder.decode(value);
