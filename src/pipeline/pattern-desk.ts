import type { LifeEntry, PatternDetail, PatternDiff, PatternItem, PushedView, SetDiff } from '../domain/pattern-views.js';
import type { StatusSummary } from '../domain/status.js';
import { parsePattern, type Pattern, type PatternProblem, type PatternState } from '../scoring/pattern.js';
import type { PatternSource } from '../scoring/pattern-set.js';
import type { WorkingDays } from '../scoring/window.js';
import { isFresh } from './fresh.js';
import { diffSets, diffVersions, type VersionText } from './pattern-diff.js';
import { type Life, type LifeLine, membersOf, stateIn } from './pattern-life.js';
import type { MeterCounts, MeterReading, PatternMeter } from './pattern-meter.js';
import type { PatternStore, StoreCommand } from './pattern-store.js';
import { lookBackMs, type Reach, silenceOf, warmingUntilMs } from './pattern-warming.js';

/** The patterns as people look at them: what stands, who decided it, what it waits for, and what it does. */
export interface PatternDesk {
  /** What is in force, in trial and proposed; a pattern of which nothing is so by its newest version. */
  list(): Promise<{ readonly patternSet: string; readonly items: readonly PatternItem[] }>;
  /** The version named, else the one that counts most; null where there is none. */
  get(id: string, version?: number): Promise<PatternDetail | null>;
  /**
   * Left out, `to` is what waits for a decision, else what is in force, and `from` what is in force, else what was before.
   * Null where there is no such pattern or version.
   */
  diff(id: string, from?: number, to?: number): Promise<PatternDiff | null>;
  /** Between two sets; left out, from the set before to the one in force. Null where there is no such set. */
  diffSets(from?: string, to?: string): Promise<SetDiff | null>;
  log: PatternStore['log'];
  propose(files: readonly PatternSource[], by: string, note?: string): Promise<DeskOutcome>;
  command(command: StoreCommand, by: string, note?: string): Promise<DeskOutcome>;
  /** What was decided and is not among the sets `taken` by every partition, and what the guard took back. */
  decided(taken: readonly string[]): Promise<Pick<StatusSummary, 'patternSetPending' | 'patternsTakenBack'>>;
  /** What the versions that are scored have done. */
  counts(): Promise<DeskCounts>;
}

export type DeskOutcome =
  | { readonly kind: 'proposed'; readonly pushed: PushedView }
  | { readonly kind: 'done'; readonly entry: LifeEntry }
  /** `pointer` is file, line, column and path. */
  | { readonly kind: 'broken'; readonly errors: readonly { readonly pointer: string; readonly detail: string }[] }
  | { readonly kind: 'refused' | 'unknown'; readonly reason: string };

export interface DeskCounts {
  readonly scored: number;
  /** Patterns that the guard took out of force, and nobody has decided on since. */
  readonly undecided: number;
  readonly patterns: readonly {
    readonly pattern: string;
    readonly version: number;
    readonly state: PatternState;
    readonly hits: number;
    readonly faults: number;
    /** Null where the engine does not tell. */
    readonly seconds: number | null;
  }[];
}

export interface PatternDeskOptions {
  readonly store: PatternStore;
  readonly workingDays: WorkingDays;
  /** What the log reaches back to. */
  readonly reach: () => Promise<Reach | null>;
  readonly retentionMs: number;
  readonly clock: { now(): number };
  /** Of a running platform. */
  readonly meter?: Pick<PatternMeter, 'read'>;
}

const reachKeptMs = 10_000;
const versionsShown = 100;
const parsedMax = 2_000;

export function createPatternDesk(options: PatternDeskOptions): PatternDesk {
  const { store, workingDays, retentionMs, clock, meter } = options;
  /** A version's text never changes. */
  const parsed = new Map<string, Pattern>();
  let reach: { readonly atMs: number; readonly found: Promise<Reach | null> } | undefined;

  function reachNow(): Promise<Reach | null> {
    if (!reach || !isFresh(clock.now(), reach.atMs, reachKeptMs)) reach = { atMs: clock.now(), found: options.reach() };
    return reach.found;
  }

  async function patternOf(id: string, version: number): Promise<Pattern | null> {
    const key = `${id}@${version}`;
    const known = parsed.get(key);
    if (known) return known;
    const found = await store.version(id, version);
    const result = found && parsePattern(found.text, found.version.file);
    if (result?.kind !== 'parsed') return null;
    if (parsed.size >= parsedMax) parsed.clear();
    parsed.set(key, result.parsed.pattern);
    return result.parsed.pattern;
  }

  const readMeter = async (): Promise<MeterReading | null> => (await meter?.read()) ?? null;

  async function itemOf(life: Life, id: string, version: number, metered: MeterReading | null): Promise<PatternItem | null> {
    const line = life.lines[id];
    const pattern = line && (await patternOf(id, version));
    if (!line || !pattern) return null;
    const state = stateIn(line, version);
    const isScored = state === 'active' || state === 'shadow';
    const { side, severity, family, title } = pattern;
    const { activated, takenBack } = line;
    const proposedBy = (await store.version(id, version))?.version.proposed.by;
    const silent = isScored ? silenceOf(pattern.needs, metered?.seen ?? null) : null;
    return {
      id,
      version,
      state,
      side,
      severity,
      family,
      title,
      ...(proposedBy === undefined ? {} : { proposedBy }),
      ...(state === 'active' && activated ? { activatedBy: activated.by, since: activated.at } : {}),
      ...(isScored ? await warmingOf(pattern) : {}),
      ...(silent === null ? {} : { silent }),
      ...(takenBack?.version === version ? { takenBack: { at: takenBack.at, reason: takenBack.reason } } : {}),
      ...(isScored && metered ? { live: liveOf(metered, id, version) } : {}),
    };
  }

  async function textOf(id: string, version: number | undefined): Promise<VersionText | null> {
    const found = version === undefined ? null : await store.version(id, version);
    return found && { version: found.version.version, text: found.text };
  }

  async function warmingOf(pattern: Pattern): Promise<Pick<PatternItem, 'warming'>> {
    const untilMs = warmingUntilMs(lookBackMs(pattern, workingDays), await reachNow(), retentionMs);
    if (untilMs === null) return {};
    return { warming: { until: untilMs === Infinity ? null : new Date(untilMs).toISOString() } };
  }

  return {
    async list() {
      const [life, metered] = await Promise.all([store.life(), readMeter()]);
      const items = Object.entries(life.lines)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([id, line]) => versionsShownOf(line).map((version) => itemOf(life, id, version, metered)));
      return { patternSet: life.set, items: (await Promise.all(items)).filter((item) => item !== null) };
    },

    log: (query) => store.log(query),

    async propose(files, by, note) {
      const result = await store.propose(files, by, clock.now(), note);
      if (result.kind !== 'proposed') return result.kind === 'broken' ? brokenOf(result.problems) : result;
      const { kind, set, added, changed, same } = result;
      return { kind, pushed: { kind, set, added: [...added], changed: [...changed], same: [...same] } };
    },

    async command(command, by, note) {
      const outcome = await store.command(command, by, clock.now(), note);
      return outcome.kind === 'broken' ? brokenOf(outcome.problems) : outcome;
    },

    async decided(taken) {
      const { set, lines } = await store.life();
      const takenBack = Object.entries(lines).flatMap(([id, { takenBack: one }]) =>
        one ? [{ id, version: one.version, at: one.at, reason: one.reason }] : [],
      );
      return {
        ...(taken.every((id) => id === set) ? {} : { patternSetPending: set }),
        ...(takenBack.length === 0 ? {} : { patternsTakenBack: takenBack }),
      };
    },

    async counts() {
      const { lines } = await store.life();
      const { scored, patterns: counts } = (await readMeter()) ?? { scored: 0, patterns: [] };
      return {
        scored,
        undecided: Object.values(lines).filter(({ takenBack }) => takenBack).length,
        // Not by the compiled set: this release may be unable to load what another one has put into force.
        patterns: membersOf(lines).map(({ pattern, version, state }) => {
          const found = counts.find((one) => one.id === pattern && one.version === version);
          const { hits = 0, faults = 0, asked = 0, nanoseconds = 0 } = found ?? {};
          const seconds = asked === 0 || nanoseconds === 0 ? null : nanoseconds / 1e9;
          return { pattern, version, state, hits, faults, seconds };
        }),
      };
    },

    async diff(id, from, to) {
      const line = (await store.life()).lines[id];
      if (!line) return null;
      const after = to ?? line.draft ?? line.shadows.at(-1) ?? line.active ?? line.latest;
      const before = from ?? (line.active === after ? line.previous : (line.active ?? line.previous));
      const [was, is] = await Promise.all([textOf(id, before), textOf(id, after)]);
      return is === null || (from !== undefined && was === null) ? null : diffVersions(id, was, is);
    },

    async diffSets(from, to) {
      const life = await store.life();
      const after = to ?? life.set;
      const is = await store.set(after);
      const before = from ?? (to === undefined ? life.previousSet : (is?.previous ?? undefined));
      const was = before === undefined ? null : await store.set(before);
      if (!is || before === undefined || !was) return null;
      return { from: before, to: after, ...diffSets(was.sources, is.sources) };
    },

    async get(id, asked) {
      const life = await store.life();
      const line = life.lines[id];
      const version = asked ?? (line && versionsShownOf(line)[0]);
      if (!line || version === undefined) return null;
      const [item, pattern, found] = await Promise.all([
        itemOf(life, id, version, await readMeter()),
        patternOf(id, version),
        store.version(id, version),
      ]);
      if (!item || !pattern || !found) return null;
      const { when, advice, audience, bankCode, source } = pattern;
      const versions = (await store.versions(id)).toReversed().slice(0, versionsShown);
      return {
        ...item,
        condition: when.trim(),
        advice,
        audience: [...audience],
        ...(bankCode === undefined ? {} : { bankCode }),
        source,
        text: found.text,
        versions: versions.map(({ version: one, proposed, approved, note }) => ({
          version: one,
          state: stateIn(line, one) satisfies PatternState,
          proposed,
          ...(approved ? { approved } : {}),
          ...(note === undefined ? {} : { note }),
        })),
      };
    },
  };
}

function brokenOf(problems: readonly PatternProblem[]): DeskOutcome {
  const errors = problems.map(({ file, line, column, path, message }) => ({
    pointer: `${file}:${line}:${column}${path ? ` ${path}` : ''}`,
    detail: message,
  }));
  return { kind: 'broken', errors };
}

/** What counts most comes first. */
function versionsShownOf({ active, shadows, draft, latest }: LifeLine): number[] {
  const shown = [...(active === undefined ? [] : [active]), ...shadows, ...(draft === undefined ? [] : [draft])];
  return shown.length > 0 ? shown : [latest];
}

/** Parts of a condition that were the only one not to hold, most frequent first. */
const nearMissesShown = 5;

function liveOf({ scored, patterns }: MeterCounts, id: string, version: number): NonNullable<PatternItem['live']> {
  const found = patterns.find((one) => one.id === id && one.version === version);
  const { hits = 0, asked = 0, faults = 0, nanoseconds = 0, nearMisses = {} } = found ?? {};
  return {
    hits,
    faults,
    perThousand: scored === 0 ? null : (hits / scored) * 1_000,
    microseconds: asked === 0 || nanoseconds === 0 ? null : nanoseconds / asked / 1_000,
    nearMisses: Object.entries(nearMisses)
      .map(([condition, count]) => ({ condition, count }))
      .toSorted((a, b) => b.count - a.count)
      .slice(0, nearMissesShown),
  };
}
