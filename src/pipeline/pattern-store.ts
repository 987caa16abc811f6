import type { LifeEntry, LifeLog } from '../domain/pattern-views.js';
import type { State } from '../ports/state.js';
import type { PatternProblem, PatternState } from '../scoring/pattern.js';
import { compilePatternSet, type PatternSet, type PatternSource } from '../scoring/pattern-set.js';
import type { WorkingDays } from '../scoring/window.js';
import {
  decideLife,
  evolveLife,
  type Life,
  type LifeCommand,
  membersOf,
  type Move,
  type PatternVersion,
  seedName,
  type SetMember,
} from './pattern-life.js';
import { type Checked, membersWith, planPush, problemsOfEach, type Pushed, withoutBroken } from './pattern-push.js';
import { createPatternRecords, PatternSetUnknown, type Standing, type Step, type StoredSet } from './pattern-records.js';

/**
 * The patterns, kept in the state store: every version of each, every set that was ever in force, and who changed what and why.
 * The files under `config/patterns/` only seed an empty store. Every change is a compare-and-set on all that stands: of two
 * people who change at once, the second one decides again on what the first one left.
 */
export interface PatternStore {
  currentId(): Promise<string>;
  /** Compiled and cached. Throws `PatternSetUnknown`. */
  load(id: string): Promise<PatternSet>;
  current(): Promise<PatternSet>;
  /** Puts the files that ship into an empty store. */
  seed(sources: readonly PatternSource[], atMs: number): Promise<'seeded' | 'kept'>;
  /** Puts these files into force, as whoever holds the data directory may: each in the state that its text names. All or nothing. */
  push(sources: readonly PatternSource[], by: string, atMs: number, note?: string): Promise<PushResult>;
  /** Puts these files beside what is in force, as drafts. All or nothing. */
  propose(sources: readonly PatternSource[], by: string, atMs: number, note?: string): Promise<ProposeResult>;
  command(command: StoreCommand, by: string, atMs: number, note?: string): Promise<CommandOutcome>;
  /** Throws `PatternSetUnknown` for an empty store. */
  life(): Promise<Life>;
  version(pattern: string, version: number): Promise<{ readonly version: PatternVersion; readonly text: string } | null>;
  versions(pattern: string): Promise<readonly PatternVersion[]>;
  /** What a set holds; null for a set that was never in force. */
  set(id: string): Promise<{ readonly previous: string | null; readonly sources: readonly PatternSource[] } | null>;
  /** Changes below revision `before` (from the newest, where left out), newest first; of one pattern where it is named. */
  log(query: {
    readonly before?: number | undefined;
    readonly limit: number;
    readonly pattern?: string | undefined;
  }): Promise<LifeLog>;
}

/** A set rolled back to is named by its id; left out, the set before the one in force is meant. */
export type StoreCommand =
  | Exclude<LifeCommand, { readonly kind: 'rollback-set' }>
  | { readonly kind: 'rollback-set'; readonly set?: string | undefined };

interface Broken {
  readonly kind: 'broken';
  readonly problems: readonly PatternProblem[];
}
interface Refused {
  readonly kind: 'refused';
  readonly reason: string;
}
interface Unknown {
  readonly kind: 'unknown';
  readonly reason: string;
}

export type PushResult = ({ readonly kind: 'in-force'; readonly set: PatternSet } & Pushed) | Broken | Refused;
export type ProposeResult = ({ readonly kind: 'proposed'; readonly set: string } & Pushed) | Broken | Refused;
export type CommandOutcome =
  | { readonly kind: 'done'; readonly entry: LifeEntry }
  | Broken
  | Refused
  /** There is no such pattern, version or set. */
  | Unknown;

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

/** A set named as it was stored: a later release may word its hash differently, a journal may not. Throws `PatternSetBroken`. */
export function compileNamed(id: string, sources: readonly PatternSource[], workingDays: WorkingDays): PatternSet {
  const result = compilePatternSet(sources, workingDays);
  if (result.kind === 'broken') throw new PatternSetBroken(result.problems);
  return { ...result.set, id };
}

const triesMax = 5;
const cachedSetsMax = 8;
const logChunk = 500;
const logChunksMax = 20;
const keptChanging: Refused = { kind: 'refused', reason: 'the patterns kept changing while this was under way; try again' };

/** What a change is made of, before it has a set and a revision. */
interface Plan {
  readonly how: LifeEntry['how'];
  readonly moves: readonly Move[];
  readonly versions: Step['versions'];
  readonly reason?: string;
}

export function createPatternStore(state: State, workingDays: WorkingDays): PatternStore {
  const records = createPatternRecords(state);
  const cache = new Map<string, Promise<PatternSet>>();

  async function stored(id: string): Promise<StoredSet> {
    const set = await records.set(id);
    if (!set) throw new PatternSetUnknown(id);
    return set;
  }

  async function compileStored(id: string): Promise<PatternSet> {
    return compileNamed(id, await records.sourcesOf(await stored(id)), workingDays);
  }

  function load(id: string): Promise<PatternSet> {
    const known = cache.get(id);
    if (known) return known;
    return keep(id, compileStored(id));
  }

  function keep(id: string, loading: Promise<PatternSet>): Promise<PatternSet> {
    cache.set(id, loading);
    loading.catch(() => cache.delete(id));
    for (const old of cache.keys()) if (cache.size > cachedSetsMax) cache.delete(old);
    return loading;
  }

  async function standing(): Promise<Standing> {
    const found = await records.life();
    if (!found) throw new PatternSetUnknown('(none)');
    return found;
  }

  async function versionWithText(pattern: string, version: number) {
    const [found, [content]] = await Promise.all([records.version(pattern, version), records.texts([{ pattern, version }])]);
    return found && typeof content === 'string' ? { version: found, text: content } : null;
  }

  /** The set that the members make, compiled; members that are new have their text at hand. */
  async function setOf(
    members: readonly SetMember[],
    fresh: Step['versions'],
  ): Promise<{ set: StoredSet; compiled: PatternSet } | Broken> {
    const at = new Map(fresh.map((one) => [`${one.version.id}@${one.version.version}`, one]));
    const known = await Promise.all(
      members.map(async ({ pattern, version }) => at.get(`${pattern}@${version}`)?.version ?? records.version(pattern, version)),
    );
    const texts = await records.texts(members);
    const named = membersWith(members, known as readonly PatternVersion[]);
    const sources = named.map(({ file, pattern, version, state: asked, textState }, i): PatternSource => {
      const content = at.get(`${pattern}@${version}`)?.text ?? texts[i] ?? '';
      return { file, text: content, ...(asked === textState ? {} : { state: asked }) };
    });
    const result = compilePatternSet(sources, workingDays);
    if (result.kind === 'broken') return result;
    const set = { id: result.set.id, by: '', at: '', previous: null, members: named };
    return { set, compiled: result.set };
  }

  /** One try. `conflict`: somebody else was first. */
  async function apply(
    before: Standing | null,
    plan: Plan,
    who: { readonly by: string; readonly at: string; readonly note?: string | undefined },
  ): Promise<{ readonly entry: LifeEntry; readonly compiled: PatternSet | null } | Broken | 'conflict'> {
    const was: Life = before?.life ?? { revision: 0, set: '', lines: {} };
    const lines = evolveLife(was.lines, plan.moves, plan.reason === undefined ? who : { ...who, reason: plan.reason });
    // A change among the drafts leaves the set as it is.
    const isSame = before !== null && !plan.moves.some(({ from, to }) => isScored(from) || isScored(to));
    const made = isSame ? null : await setOf(membersOf(lines), plan.versions);
    if (made && 'kind' in made) return made;
    const set = made?.set.id ?? was.set;
    const { by, at, note } = who;
    const entry: LifeEntry = {
      revision: was.revision + 1,
      at,
      by,
      how: plan.how,
      ...(note === undefined ? {} : { note }),
      ...(plan.reason === undefined ? {} : { reason: plan.reason }),
      moves: [...plan.moves],
      set,
    };
    const previousSet = was.set === '' || was.set === set ? was.previousSet : was.set;
    const outcome = await records.commit(before, {
      life: { revision: entry.revision, set, ...(previousSet ? { previousSet } : {}), lines },
      entry,
      versions: plan.versions,
      ...(made ? { set: { ...made.set, by, at, previous: previousSet ?? null } } : {}),
    });
    if (outcome === 'conflict') return 'conflict';
    // Whoever scores in this process need not compile it again.
    if (made && !cache.has(set)) void keep(set, Promise.resolve(made.compiled));
    return { entry, compiled: made?.compiled ?? null };
  }

  /** Parses, compiles and tries the examples of what is pushed, as if all of it were in force. */
  async function check(
    sources: readonly PatternSource[],
    life: Life,
    mode: 'push' | 'propose',
    who: { by: string; at: string; note?: string | undefined },
  ): Promise<Checked | Broken> {
    const planned = await planPush(sources, life, mode, who, versionWithText);
    if (planned.kind === 'broken') return withNeighbours(planned, sources);
    const tried = planned.versions.map(({ version: { id: pattern, version } }) => ({
      pattern,
      version,
      state: 'active' as const,
    }));
    const replaced = new Set(tried.map(({ pattern }) => pattern));
    const others = membersOf(life.lines).filter(({ pattern }) => !replaced.has(pattern));
    const made = await setOf([...others, ...tried], planned.versions);
    const files = planned.versions.map(({ version: { file }, text }) => ({ file, text }));
    if ('kind' in made) return inTheirNames(await withNeighbours(made, files), planned);
    const problems = await problemsOfEach(files, workingDays);
    return problems.length > 0 ? inTheirNames({ kind: 'broken', problems }, planned) : planned;
  }

  /** Who pushes several files hears of all that is wrong at once: one that cannot be read does not hide the others' mistakes. */
  async function withNeighbours({ problems }: Broken, sources: readonly PatternSource[]): Promise<Broken> {
    const others = await problemsOfEach(withoutBroken(sources, problems), workingDays);
    return { kind: 'broken', problems: [...problems, ...others] };
  }

  async function pushWith<T>(
    mode: 'push' | 'propose',
    sources: readonly PatternSource[],
    who: { readonly by: string; readonly at: string; readonly note?: string | undefined },
    done: (pushed: Pushed, set: string, compiled: () => Promise<PatternSet>) => Promise<T> | T,
  ): Promise<T | Broken | Refused> {
    for (let attempt = 0; attempt < triesMax; attempt++) {
      const before = await standing();
      const checked = await check(sources, before.life, mode, who);
      if (checked.kind === 'broken') return checked;
      if (checked.moves.length === 0) return done(checked.pushed, before.life.set, () => load(before.life.set));
      const how = mode === 'push' ? 'pushed' : 'proposed';
      const applied = await apply(before, { how, moves: checked.moves, versions: checked.versions }, who);
      if (applied === 'conflict') continue;
      if ('kind' in applied) return applied;
      return done(checked.pushed, applied.entry.set, async () => applied.compiled ?? load(applied.entry.set));
    }
    return keptChanging;
  }

  /** The command with what it leaves out looked up. */
  async function resolve(command: StoreCommand, life: Life): Promise<LifeCommand | Unknown> {
    if (command.kind !== 'rollback-set') return command;
    const id = command.set ?? life.previousSet;
    if (!id) return { kind: 'unknown', reason: 'there was no other set in force before this one' };
    const set = await records.set(id);
    return set
      ? { kind: 'rollback-set', target: records.membersOf(set) }
      : { kind: 'unknown', reason: `there was never a set ${id} in force; huqi patterns log shows them` };
  }

  async function versionsFor(command: LifeCommand): Promise<Map<string, PatternVersion>> {
    const found =
      command.kind === 'rollback-set'
        ? await Promise.all(command.target.map(({ pattern, version }) => records.version(pattern, version)))
        : await records.versions(command.pattern);
    return new Map(found.flatMap((one) => (one ? [[`${one.id}@${one.version}`, one] as const] : [])));
  }

  return {
    async currentId() {
      const id = await records.currentId();
      if (id === null) throw new PatternSetUnknown('(none)');
      return id;
    },
    load,
    current: async () => load((await standing()).life.set),
    life: async () => (await standing()).life,
    async seed(sources, atMs) {
      if (await records.life()) return 'kept';
      const who = { by: seedName, at: new Date(atMs).toISOString() };
      const planned = await planPush(sources, { revision: 0, set: '', lines: {} }, 'push', who, async () => null);
      if (planned.kind === 'broken') throw new PatternSetBroken(planned.problems);
      const applied = await apply(null, { how: 'seeded', moves: planned.moves, versions: planned.versions }, who);
      if (applied === 'conflict') return 'kept';
      if ('kind' in applied) throw new PatternSetBroken(applied.problems);
      return 'seeded';
    },
    push: (sources, by, atMs, note) =>
      pushWith('push', sources, { by, at: new Date(atMs).toISOString(), note }, async (pushed, _, compiled) => ({
        kind: 'in-force' as const,
        set: await compiled(),
        ...pushed,
      })),
    propose: (sources, by, atMs, note) =>
      pushWith('propose', sources, { by, at: new Date(atMs).toISOString(), note }, (pushed, set) => ({
        kind: 'proposed' as const,
        set,
        ...pushed,
      })),
    async command(asked, by, atMs, note) {
      const who = { by, at: new Date(atMs).toISOString(), note };
      for (let attempt = 0; attempt < triesMax; attempt++) {
        const before = await standing();
        const command = await resolve(asked, before.life);
        if (command.kind === 'unknown') return command;
        const versions = await versionsFor(command);
        const decision = decideLife(before.life, (pattern, version) => versions.get(`${pattern}@${version}`), command, who);
        if (decision.kind !== 'decided') return decision;
        const plan = { ...decision, versions: judged(decision.moves, versions, who, 'reason' in command) };
        const applied = await apply(before, 'reason' in command ? { ...plan, reason: command.reason } : plan, who);
        if (applied === 'conflict') continue;
        return 'kind' in applied ? applied : { kind: 'done', entry: applied.entry };
      }
      return keptChanging;
    },
    version: versionWithText,
    versions: (pattern) => records.versions(pattern),
    async set(id) {
      const found = await records.set(id);
      return found && { previous: found.previous, sources: await records.sourcesOf(found) };
    },
    async log({ before, limit, pattern }) {
      const entries: LifeEntry[] = [];
      let below = before ?? (await standing()).life.revision + 1;
      for (let chunk = 0; chunk < logChunksMax && below > 1 && entries.length < limit; chunk++) {
        for (const entry of await records.log(below, pattern === undefined ? limit - entries.length : logChunk)) {
          if (entries.length === limit) break;
          below = entry.revision;
          if (pattern === undefined || entry.moves.some((move) => move.pattern === pattern)) entries.push(entry);
        }
      }
      return { entries, next: below > 1 ? below : null };
    },
  };
}

function isScored(state: PatternState | null): boolean {
  return state === 'active' || state === 'shadow';
}

/** What was put into force is approved from then on; what the guard took back is not any more. */
function judged(
  moves: readonly Move[],
  versions: ReadonlyMap<string, PatternVersion>,
  { by, at }: { readonly by: string; readonly at: string },
  byGuard: boolean,
): Step['versions'] {
  return moves.flatMap(({ pattern, version, to }) => {
    const known = versions.get(`${pattern}@${version}`);
    if (!known) return [];
    if (to === 'active') return known.approved ? [] : [{ version: { ...known, approved: { by, at } } }];
    if (!byGuard || (to !== 'shadow' && to !== 'draft')) return [];
    const { approved: _, ...rest } = known;
    return [{ version: rest }];
  });
}

/** Problems under the names of the pushed files, which is where people look. */
function inTheirNames({ problems }: Broken, { names }: Checked): Broken {
  return { kind: 'broken', problems: problems.map((problem) => ({ ...problem, file: names.get(problem.file) ?? problem.file })) };
}
