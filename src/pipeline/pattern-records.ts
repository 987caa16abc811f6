import { z } from 'zod';
import { type LifeEntry, lifeEntrySchema } from '../domain/pattern-views.js';
import type { Change, State, StateEntry } from '../ports/state.js';
import { parsePattern, patternStates, type PatternState } from '../scoring/pattern.js';
import type { PatternSource } from '../scoring/pattern-set.js';
import {
  type Life,
  lifeSchema,
  evolveLife,
  type PatternVersion,
  seedName,
  type SetMember,
  versionSchema,
} from './pattern-life.js';

/**
 * What the state store holds of the patterns, in one slot: `life`, what stands, on which every change is a compare-and-set;
 * `current`, the id of the set in force, which the scorers ask for; `set/<id>`, every set that was ever in force;
 * `version/<pattern>/<n>` and `text/<pattern>/<n>`, every version ever pushed; `log/<revision>`, every change.
 */
export interface PatternRecords {
  currentId(): Promise<string | null>;
  /** Null for an empty store. Throws `PatternSetUnknown` where what stands names a set that is gone. */
  life(): Promise<Standing | null>;
  set(id: string): Promise<StoredSet | null>;
  /** A set's patterns with their texts. */
  sourcesOf(set: StoredSet): Promise<PatternSource[]>;
  membersOf(set: StoredSet): SetMember[];
  version(pattern: string, version: number): Promise<PatternVersion | null>;
  /** All versions of one pattern, oldest first. */
  versions(pattern: string): Promise<PatternVersion[]>;
  texts(of: readonly { readonly pattern: string; readonly version: number }[]): Promise<(string | null)[]>;
  /** Changes below the revision `before`, newest first. */
  log(before: number, limit: number): Promise<LifeEntry[]>;
  /** All or nothing, and only while `standing` still stands (null: the store is empty). */
  commit(standing: Standing | null, step: Step): Promise<'committed' | 'conflict'>;
}

export interface Standing {
  readonly life: Life;
  /** The stored bytes, for the compare-and-set. */
  readonly raw: Uint8Array;
}

export interface Step {
  readonly life: Life;
  readonly entry: LifeEntry;
  readonly versions: readonly { readonly version: PatternVersion; readonly text?: string }[];
  /** Where the set in force changes. */
  readonly set?: StoredSet;
}

const storedSetSchema = z.object({
  id: z.string(),
  by: z.string(),
  at: z.string(),
  previous: z.string().nullable(),
  /** Sets of the first release hold the texts themselves. */
  sources: z.array(z.object({ file: z.string(), text: z.string(), state: z.enum(patternStates).optional() })).optional(),
  members: z
    .array(
      z.object({
        file: z.string(),
        pattern: z.string(),
        version: z.int(),
        state: z.enum(['active', 'shadow']),
        /** What the text says where it says something else. */
        textState: z.enum(patternStates),
      }),
    )
    .optional(),
});
export type StoredSet = z.infer<typeof storedSetSchema>;

const slot = 'patterns';
const versionsMax = 9_999;

export function createPatternRecords(state: State): PatternRecords {
  async function read(key: string): Promise<Uint8Array | null> {
    return (await state.get(slot, [key]))[0] ?? null;
  }

  async function life(): Promise<Standing | null> {
    for (;;) {
      const [raw, current] = await state.get(slot, ['life', 'current']);
      if (raw) return { life: lifeSchema.parse(decode(raw)), raw };
      if (!current) return null;
      await takeOver(current);
    }
  }

  /** A store of the first release knows its sets only: what stands is read from the one in force. */
  async function takeOver(current: Uint8Array): Promise<void> {
    const id = text(current);
    const set = await records.set(id);
    if (!set?.sources) throw new PatternSetUnknown(id);
    const who = { by: set.by, at: set.at };
    const versions = set.sources.flatMap((source) => knownVersion(source as PatternSource, who));
    const moves = versions.map(({ version: { id: pattern, version }, standsAs: to }) => ({ pattern, version, from: null, to }));
    // Which of them a person put into force lately is not known: none is taken for new.
    const lines = evolveLife({}, moves, { by: seedName, at: set.at });
    const entry: LifeEntry = { revision: 1, ...who, how: 'seeded', moves, set: id };
    const previous = set.previous === null ? {} : { previousSet: set.previous };
    const change = changesOf({ life: { revision: 1, set: id, ...previous, lines }, entry, versions });
    await state.commit(slot, {
      ...change,
      expect: [
        { key: 'life', value: null },
        { key: 'current', value: current },
      ],
    });
  }

  const records: PatternRecords = {
    life,
    async currentId() {
      const value = await read('current');
      return value && text(value);
    },
    async set(id) {
      const value = await read(`set/${id}`);
      return value && storedSetSchema.parse(decode(value));
    },
    async sourcesOf({ id, sources, members = [] }) {
      if (sources) return sources as PatternSource[];
      const texts = await records.texts(members);
      return members.map(({ file, state: asked, textState }, i) => {
        const found = texts[i];
        if (found === null || found === undefined) throw new PatternSetUnknown(id);
        return { file, text: found, ...(asked === textState ? {} : { state: asked }) };
      });
    },
    membersOf({ sources, members = [] }) {
      if (!sources) return members.map(({ pattern, version, state: at }) => ({ pattern, version, state: at }));
      return sources
        .flatMap((source) => knownVersion(source as PatternSource, { by: '', at: '' }))
        .flatMap(({ version: { id: pattern, version }, standsAs }) =>
          standsAs === 'active' || standsAs === 'shadow' ? [{ pattern, version, state: standsAs }] : [],
        );
    },
    async version(pattern, version) {
      const value = await read(versionKey(pattern, version));
      return value && versionSchema.parse(decode(value));
    },
    async versions(pattern) {
      const found = await state.scan(slot, { prefix: `version/${pattern}/`, limit: versionsMax });
      return found.map(({ value }) => versionSchema.parse(decode(value)));
    },
    async texts(of) {
      const values = await state.get(
        slot,
        of.map(({ pattern, version }) => textKey(pattern, version)),
      );
      return values.map((value) => value && text(value));
    },
    async log(before, limit) {
      const found = await state.scan(slot, {
        prefix: 'log/',
        after: logKey(Math.max(before - 1 - limit, 0)),
        limit,
      });
      return found
        .map(({ value }) => lifeEntrySchema.parse(decode(value)))
        .filter(({ revision }) => revision < before)
        .toReversed();
    },
    async commit(standing, step) {
      const expect = [{ key: 'life', value: standing?.raw ?? null }];
      if (!standing) expect.push({ key: 'current', value: null });
      // A set that was in force before stays as it was told then: journals name it.
      const isNew = step.set !== undefined && (await records.set(step.set.id)) === null;
      return state.commit(slot, { ...changesOf(isNew ? step : withoutSet(step)), expect });
    },
  };
  return records;
}

function withoutSet(step: Step): Step {
  const { set: _, ...rest } = step;
  return rest;
}

function changesOf({ life, entry, versions, set }: Step): Pick<Change, 'put'> {
  const put: StateEntry[] = [
    { key: 'life', value: encode(life) },
    { key: 'current', value: bytes(life.set) },
    { key: logKey(entry.revision), value: encode(entry) },
  ];
  if (set) put.push({ key: `set/${set.id}`, value: encode(set) });
  for (const { version, text: content } of versions) {
    put.push({ key: versionKey(version.id, version.version), value: encode(version) });
    if (content !== undefined) put.push({ key: textKey(version.id, version.version), value: bytes(content) });
  }
  return { put };
}

/** The version that a source of an old set stands for, in the state that it had there. */
function knownVersion(
  source: PatternSource,
  who: { by: string; at: string },
): { version: PatternVersion; text: string; standsAs: PatternState }[] {
  const result = parsePattern(source.text, source.file);
  if (result.kind === 'broken') return [];
  const { id, version, state } = result.parsed.pattern;
  const standsAs = source.state ?? state;
  const approved = standsAs === 'active' ? { approved: who } : {};
  return [
    {
      version: { id, version, file: source.file, textState: state, proposed: who, ...approved },
      text: source.text,
      standsAs,
    },
  ];
}

export class PatternSetUnknown extends Error {
  readonly retriable = false;
  constructor(id: string) {
    super(`pattern set ${id} is not in the store; restore the state store from its backup`);
    this.name = 'PatternSetUnknown';
  }
}

const padded = (count: number, digits: number): string => String(count).padStart(digits, '0');
const versionKey = (pattern: string, version: number): string => `version/${pattern}/${padded(version, 4)}`;
const textKey = (pattern: string, version: number): string => `text/${pattern}/${padded(version, 4)}`;
const logKey = (revision: number): string => `log/${padded(revision, 10)}`;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytes = (value: string): Uint8Array => encoder.encode(value);
const text = (value: Uint8Array): string => decoder.decode(value);
const encode = (value: unknown): Uint8Array => bytes(JSON.stringify(value));
const decode = (value: Uint8Array): unknown => JSON.parse(text(value));
