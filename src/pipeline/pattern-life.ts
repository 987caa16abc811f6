import { z } from 'zod';
import type { LifeEntry } from '../domain/pattern-views.js';
import { patternStates, type PatternState } from '../scoring/pattern.js';

/**
 * The life of the patterns: draft → shadow → active → retired. Pure: what is asked is decided into moves, moves are applied to
 * what stands. The rule that matters most: nobody activates alone what nobody else has ever approved.
 */

const takenBackSchema = z.object({
  version: z.int(),
  to: z.enum(['shadow', 'draft']),
  at: z.string(),
  reason: z.string(),
});

/** Who puts the files that ship into an empty store. */
export const seedName = 'seed';

/** Where the versions of one pattern stand. Every known version that is named in none of the places is retired. */
const lineSchema = z.object({
  /** Highest version ever pushed. */
  latest: z.int(),
  active: z.int().optional(),
  /** How the active version came into force. */
  activated: z.object({ by: z.string(), at: z.string(), replaced: z.int().optional() }).optional(),
  /** The version that was in force last and is not now. */
  previous: z.int().optional(),
  shadows: z.array(z.int()),
  /** The proposal: at most one, the newest. */
  draft: z.int().optional(),
  /** The guard has taken it back, and nobody has decided on it since. */
  takenBack: takenBackSchema.optional(),
});
export type LifeLine = z.infer<typeof lineSchema>;

export const lifeSchema = z.object({
  /** Counts every change; the log of changes has an entry for each. */
  revision: z.int(),
  /** Id of the set in force. */
  set: z.string(),
  /** Id of the set before it. */
  previousSet: z.string().optional(),
  lines: z.record(z.string(), lineSchema),
});
export type Life = z.infer<typeof lifeSchema>;

const whoSchema = z.object({ by: z.string(), at: z.string() });

/** What is known of one version; its text never changes. */
export const versionSchema = z.object({
  id: z.string(),
  version: z.int(),
  file: z.string(),
  /** The state that its text names. */
  textState: z.enum(patternStates),
  proposed: whoSchema,
  note: z.string().optional(),
  /** By whom and when it was first put into force; gone when the guard takes it back. */
  approved: whoSchema.optional(),
});
export type PatternVersion = z.infer<typeof versionSchema>;

export type Move = LifeEntry['moves'][number];

export type LifeCommand =
  | { readonly kind: 'shadow' | 'activate' | 'retire'; readonly pattern: string; readonly version?: number | undefined }
  /** To the version that was active before, or to the one named. */
  | {
      readonly kind: 'rollback';
      readonly pattern: string;
      readonly version?: number | undefined;
    }
  /** The whole set: what was active and shadow in it is so again. */
  | { readonly kind: 'rollback-set'; readonly target: readonly SetMember[] }
  /** `reinstates`: the version that it replaced comes back into force. */
  | {
      readonly kind: 'take-back';
      readonly pattern: string;
      readonly version: number;
      readonly reason: string;
      readonly reinstates: boolean;
    }
  | { readonly kind: 'stop'; readonly pattern: string; readonly version: number; readonly reason: string };

/** A version in a set. */
export interface SetMember {
  readonly pattern: string;
  readonly version: number;
  readonly state: 'active' | 'shadow';
}

export interface Who {
  readonly by: string;
  readonly at: string;
}

export type Decision =
  | { readonly kind: 'decided'; readonly how: LifeEntry['how']; readonly moves: readonly Move[] }
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** Looks up a version; undefined where there is none. */
export type VersionOf = (pattern: string, version: number) => PatternVersion | undefined;

const refused = (reason: string): Decision => ({ kind: 'refused', reason });

export function decideLife(life: Life, versionOf: VersionOf, command: LifeCommand, who: Who): Decision {
  if (command.kind === 'rollback-set') return decideSetRollback(life, versionOf, command.target, who);
  const { pattern } = command;
  const line = life.lines[pattern];
  if (!line) return { kind: 'unknown', reason: `there is no pattern ${pattern}; huqi patterns list shows them` };
  if (command.version !== undefined && !versionOf(pattern, command.version))
    return { kind: 'unknown', reason: `${pattern} has no version ${command.version}; the latest is ${line.latest}` };
  const decided = (how: LifeEntry['how'], moves: readonly Move[]): Decision =>
    moves.length === 0 ? refused(`${pattern} stands so already`) : { kind: 'decided', how, moves };
  switch (command.kind) {
    case 'shadow': {
      const version = command.version ?? line.draft;
      if (version === undefined)
        return refused(`${pattern} has no proposal to run as a shadow: push a new version, or name one of its versions`);
      return decided('shadowed', moveTo(pattern, line, version, 'shadow'));
    }
    case 'activate': {
      const version = command.version ?? onlyCandidate(pattern, line);
      return typeof version === 'number'
        ? (secondPersonMissing(versionOf(pattern, version), who) ??
            decided('activated', moveTo(pattern, line, version, 'active')))
        : version;
    }
    case 'rollback': {
      const version = command.version ?? line.previous;
      if (version === undefined) return refused(`${pattern} has had no other version in force that it could go back to`);
      return (
        secondPersonMissing(versionOf(pattern, version), who) ?? decided('rolled-back', moveTo(pattern, line, version, 'active'))
      );
    }
    case 'retire': {
      const version = command.version ?? line.active ?? onlyCandidate(pattern, line);
      return typeof version === 'number' ? decided('retired', moveTo(pattern, line, version, 'retired')) : version;
    }
    case 'take-back': {
      if (line.active !== command.version) return refused(`${pattern} version ${command.version} is not active any more`);
      const moves = moveTo(pattern, line, command.version, 'shadow');
      const { replaced } = line.activated ?? {};
      if (!command.reinstates || replaced === undefined) return decided('taken-back', moves);
      return decided('taken-back', [...moves, { pattern, version: replaced, from: stateIn(line, replaced), to: 'active' }]);
    }
    case 'stop':
      return ['active', 'shadow'].includes(stateIn(line, command.version))
        ? decided('stopped', moveTo(pattern, line, command.version, 'draft'))
        : refused(`${pattern} version ${command.version} is not scored any more`);
  }
}

/** The one version that waits for a decision, or the sentence that says why it is not clear which. */
function onlyCandidate(pattern: string, { draft, shadows }: LifeLine): number | Decision {
  const waiting = [...new Set([...shadows, ...(draft === undefined ? [] : [draft])])].toSorted((a, b) => a - b);
  if (waiting.length === 0) return refused(`${pattern} has nothing that waits for a decision: push a new version first`);
  const [only] = waiting;
  return waiting.length === 1 && only !== undefined
    ? only
    : refused(`${pattern} has versions ${waiting.join(', ')} waiting; name the one that is meant`);
}

/** Null when all is well: somebody else proposed it, or it was approved before. */
function secondPersonMissing(version: PatternVersion | undefined, who: Who): Decision | null {
  if (!version || version.approved || !isSamePerson(version.proposed.by, who.by)) return null;
  return refused(
    `${version.id} version ${version.version} was proposed by ${version.proposed.by}; a second person must put it into force, with a key of their own`,
  );
}

function isSamePerson(one: string, other: string): boolean {
  const plain = (name: string): string => name.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();
  return plain(one) === plain(other);
}

function decideSetRollback(life: Life, versionOf: VersionOf, target: readonly SetMember[], who: Who): Decision {
  const moves: Move[] = [];
  const wanted = new Map(target.map((member) => [`${member.pattern}@${member.version}`, member]));
  for (const [pattern, line] of Object.entries(life.lines)) {
    for (const version of [...(line.active === undefined ? [] : [line.active]), ...line.shadows]) {
      if (!wanted.has(`${pattern}@${version}`)) moves.push({ pattern, version, from: stateIn(line, version), to: 'retired' });
    }
  }
  for (const { pattern, version, state } of target) {
    const line = life.lines[pattern];
    const known = versionOf(pattern, version);
    if (!line || !known) return refused(`the set holds ${pattern} version ${version}, whose text is not kept any more`);
    const from = stateIn(line, version);
    if (from === state) continue;
    const missing = state === 'active' ? secondPersonMissing(known, who) : null;
    if (missing) return missing;
    moves.push({ pattern, version, from, to: state });
  }
  return moves.length === 0 ? refused('the set in force is that set already') : { kind: 'decided', how: 'rolled-back', moves };
}

/** Moves that bring a version there, and what it replaces out of the way. */
export function moveTo(pattern: string, line: LifeLine | undefined, version: number, to: PatternState): Move[] {
  const from = line && version <= line.latest ? stateIn(line, version) : null;
  if (from === to) return [];
  const moves: Move[] = [{ pattern, version, from, to }];
  if (to === 'active' && line?.active !== undefined) moves.push({ pattern, version: line.active, from: 'active', to: 'retired' });
  if (to === 'draft' && line?.draft !== undefined) moves.push({ pattern, version: line.draft, from: 'draft', to: 'retired' });
  return moves;
}

export function stateIn(line: LifeLine, version: number): PatternState {
  if (line.active === version) return 'active';
  if (line.shadows.includes(version)) return 'shadow';
  return line.draft === version ? 'draft' : 'retired';
}

/** What stands after the moves; revision and set are the caller's affair. */
export function evolveLife(lines: Life['lines'], moves: readonly Move[], who: Who & { readonly reason?: string }): Life['lines'] {
  const evolved: Record<string, LifeLine> = { ...lines };
  // What leaves a place first, so that its successor finds it free.
  for (const move of moves.toSorted((a, b) => Number(a.to === 'active') - Number(b.to === 'active'))) {
    const line = evolved[move.pattern] ?? { latest: 0, shadows: [] };
    evolved[move.pattern] = applyMove(line, move, lines[move.pattern]?.active, who);
  }
  return evolved;
}

function applyMove(
  line: LifeLine,
  { version, from, to }: Move,
  activeBefore: number | undefined,
  who: Who & { readonly reason?: string },
): LifeLine {
  const { active, activated, previous, draft, takenBack, ...rest } = line;
  const staysActive = active !== undefined && active !== version && to !== 'active';
  const isTakenBack = who.reason !== undefined && from !== null && (to === 'shadow' || to === 'draft');
  const settles = (to === 'active' && who.reason === undefined) || takenBack?.version === version;
  const kept = isTakenBack ? { version, to, at: who.at, reason: who.reason } : settles ? undefined : takenBack;
  const replaced = activeBefore === undefined || activeBefore === version ? {} : { replaced: activeBefore };
  return {
    ...rest,
    latest: Math.max(line.latest, version),
    shadows: [...line.shadows.filter((shadow) => shadow !== version), ...(to === 'shadow' ? [version] : [])].toSorted(
      (a, b) => a - b,
    ),
    ...(from === 'active' ? { previous: version } : previous === undefined || previous === version ? {} : { previous }),
    ...(staysActive ? { active, ...(activated ? { activated } : {}) } : {}),
    ...(to === 'active' ? { active: version, activated: { by: who.by, at: who.at, ...replaced } } : {}),
    ...(to === 'draft' ? { draft: version } : draft === undefined || draft === version ? {} : { draft }),
    ...(kept ? { takenBack: kept } : {}),
  };
}

/** What is in force and in trial, in the order of the ids. */
export function membersOf(lines: Life['lines']): SetMember[] {
  return Object.entries(lines)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([pattern, { active, shadows }]) => [
      ...(active === undefined ? [] : [{ pattern, version: active, state: 'active' as const }]),
      ...shadows.map((version) => ({ pattern, version, state: 'shadow' as const })),
    ]);
}
