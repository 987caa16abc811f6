import { formatShanghai } from './bank-day.js';
import type { Audience } from './hit.js';
import type { WarningCommand } from './warning-command.js';
import { strength, union, type WarningFacts } from './warning-facts.js';
import type { WarningPolicy } from './warning-policy-schema.js';
import { dispositionsKeptMax, levels, type Level, type Verdict, type Warning } from './warning.js';

/**
 * How hits become a warning and what people's words do to it. Pure: what a warning says follows from the set of its hits, never
 * from the order they came in; only `revision` and the wall-clock times (`raisedAt`, `dueAt`) tell of the order.
 */

/** Why a new revision is told. */
export type WarningChange = 'raised' | 'level-risen' | 'grown' | 'acknowledged' | 'disposed' | 'appealed';

/** The warning that the facts make. A rise in level opens it again: people acknowledged less than what is now known. */
export function settleWarning(
  before: Warning | null,
  facts: WarningFacts,
  policy: WarningPolicy,
  nowMs: number,
): { warning: Warning; change: WarningChange } {
  const { strongest, named } = facts;
  const score = noisyOr(facts, policy);
  const level = levelOf(facts, score, policy);
  const change = !before ? 'raised' : levels.indexOf(level) > levels.indexOf(before.level) ? 'level-risen' : 'grown';
  const life =
    before && change === 'grown'
      ? lifeOf(before)
      : { ...(before ? kept(before, told) : {}), ...opened(before, level, policy, nowMs) };
  const warning: Warning = {
    id: facts.id,
    revision: (before?.revision ?? 0) + 1,
    family: facts.family,
    side: facts.side,
    day: facts.day,
    subject: named ? nameOf(strongest.subject, named.subject) : strongest.subject,
    level,
    score,
    audience: audienceOf(facts, before?.verdict),
    ...(facts.suspected ? { suspected: true } : {}),
    amountFen: facts.amounts[strongest.currency] ?? 0,
    currency: strongest.currency,
    title: strongest.title,
    reason: strongest.reason,
    advice: strongest.advice,
    hits: [...facts.hits],
    hitCount: facts.hitCount,
    firstTime: facts.firstTime,
    lastTime: facts.lastTime,
    receivedAt: formatShanghai(facts.receivedAtMs),
    ...life,
  };
  return { warning, change };
}

/** The subject under the name, and the kind that goes with it, of another hit on it. */
function nameOf(subject: Warning['subject'], { name, kind }: Warning['subject']): Warning['subject'] {
  const { kind: _, ...rest } = subject;
  return kind === undefined ? { ...rest, name } : { ...rest, name, kind };
}

/** Whether anybody is told: once raised, a warning stays. */
export function isTold(before: Warning | null, { score }: Pick<Warning, 'score'>, policy: WarningPolicy): boolean {
  return before !== null || score >= policy.leastScore;
}

export type CommandOutcome =
  | { readonly kind: 'changed'; readonly change: WarningChange; readonly warning: Warning }
  /** Said before, word for word: nothing to tell. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Who says it: a person, or a recipient's system in its answer to a webhook. */
export type Speaker = 'person' | 'receiver';

/** Most further acknowledgements of one warning. */
const acknowledgedAgainMax = 20;

/** What somebody's word does to a warning. `at` is when it was said, ISO 8601. */
export function obeyCommand(
  warning: Warning,
  facts: WarningFacts,
  command: WarningCommand,
  at: string,
  speaker: Speaker = 'person',
): CommandOutcome {
  const next = { ...warning, revision: warning.revision + 1 };
  switch (command.type) {
    case 'warning.acknowledge':
      if (warning.status === 'disposed') return { kind: 'refused', reason: 'the warning is disposed of already' };
      if (warning.status === 'acknowledged') return acknowledgeAgain(warning, command.data, at, speaker);
      return {
        kind: 'changed',
        change: 'acknowledged',
        warning: { ...next, status: 'acknowledged', ...seenBy(command.data.by, at), ...noted(command.data.note) },
      };
    case 'warning.dispose': {
      const { verdict, note, by } = command.data;
      // A warning of an earlier release does not say who has disposed of it.
      const isSame = warning.verdict === verdict && (note ?? warning.note) === warning.note && (warning.disposedBy ?? by) === by;
      if (warning.status === 'disposed' && isSame) return { kind: 'unchanged' };
      const disposed: Warning = {
        ...next,
        status: 'disposed',
        verdict,
        audience: audienceOf(facts, verdict),
        ...noted(note),
        disposedBy: by,
        disposedAt: at,
        dispositions: [...(warning.dispositions ?? []), { verdict, ...noted(note), by, at }].slice(-dispositionsKeptMax),
      };
      return {
        kind: 'changed',
        change: 'disposed',
        warning: warning.acknowledgedAt === undefined ? { ...disposed, ...seenBy(by, at) } : disposed,
      };
    }
    case 'warning.appeal': {
      const { by, text } = command.data;
      if (warning.appeal?.by === by && warning.appeal.text === text) return { kind: 'unchanged' };
      return { kind: 'changed', change: 'appealed', warning: { ...next, appeal: { by, text, at } } };
    }
  }
}

/** What a person adds is kept; a further system that has it tells people nothing, and stands among the deliveries. */
function acknowledgeAgain(
  warning: Warning,
  { by, note }: { readonly by: string; readonly note?: string | undefined },
  at: string,
  speaker: Speaker,
): CommandOutcome {
  const again = warning.acknowledgedAgain ?? [];
  const isSaid =
    (warning.acknowledgedBy === by && (note ?? warning.note) === warning.note) ||
    again.some((said) => said.by === by && (note ?? said.note) === said.note);
  if (speaker === 'receiver' || isSaid) return { kind: 'unchanged' };
  if (again.length >= acknowledgedAgainMax) {
    const reason = `the warning was acknowledged ${acknowledgedAgainMax + 1} times already; say what was found by a disposition`;
    return { kind: 'refused', reason };
  }
  const acknowledgedAgain = [...again, { by, at, ...noted(note) }];
  const next = { ...warning, revision: warning.revision + 1, ...noted(warning.note ?? note), acknowledgedAgain };
  return { kind: 'changed', change: 'acknowledged', warning: next };
}

/**
 * Whom the warning reaches. A suspected mule is never told (反洗钱法 2024, art. 35: reports of suspicion are confidential), neither
 * of what it does nor, once it is suspected, of what is done to it, until a person found that the firm was tricked: then it is a
 * victim and must be told.
 */
function audienceOf(facts: Pick<WarningFacts, 'side' | 'audience' | 'suspected'>, verdict: Verdict | undefined): Audience[] {
  if (facts.side === 'victim' && !facts.suspected) return [...facts.audience];
  if (verdict === 'tricked') return union(facts.audience, ['enterprise']);
  return facts.audience.filter((audience) => !audience.endsWith('enterprise'));
}

function noisyOr(facts: WarningFacts, policy: WarningPolicy): number {
  let harmless = 1;
  // In the order of the names: a product of doubles depends on its order.
  for (const name of Object.keys(facts.patterns).sort()) harmless *= 1 - strength(facts.patterns[name]!, policy);
  return Math.round((1 - harmless) * 10_000) / 10_000;
}

function levelOf(facts: WarningFacts, score: number, policy: WarningPolicy): Level {
  const patterns = Object.values(facts.patterns);
  const isCorroborated = patterns.length > policy.redCorroboration && patterns.some((pattern) => pattern.severity === 'critical');
  if (isCorroborated || score >= policy.levelScores.red) return 'red';
  const byScore: Level = score >= policy.levelScores.orange ? 'orange' : score >= policy.levelScores.yellow ? 'yellow' : 'blue';
  return highest([byScore, ...patterns.map((pattern) => policy.severityFloors[pattern.severity])]);
}

function highest(found: readonly Level[]): Level {
  return levels[Math.max(...found.map((level) => levels.indexOf(level)))] ?? 'blue';
}

/** What people have said stays; that somebody has seen it does not where the level rises. */
const told = ['verdict', 'note', 'disposedBy', 'disposedAt', 'dispositions', 'acknowledgedAgain', 'appeal'] as const;
const seen = ['acknowledgedAt', 'acknowledgedBy'] as const;

type Life = Pick<Warning, 'status' | 'raisedAt' | 'dueAt' | (typeof told)[number] | (typeof seen)[number]>;

function lifeOf(warning: Warning): Life {
  return {
    status: warning.status,
    raisedAt: warning.raisedAt,
    dueAt: warning.dueAt,
    ...kept(warning, told),
    ...kept(warning, seen),
  };
}

/** Due from when this level was reached: a warning that turns red in the afternoon was not overdue in the morning. */
function opened(
  before: Warning | null,
  level: Level,
  policy: WarningPolicy,
  nowMs: number,
): Pick<Life, 'status' | 'raisedAt' | 'dueAt'> {
  const dueMs = nowMs + policy.dueMinutes[level] * 60_000;
  const isDueBefore = before?.status === 'open' && Date.parse(before.dueAt) < dueMs;
  return {
    status: 'open',
    raisedAt: before?.raisedAt ?? formatShanghai(nowMs),
    dueAt: isDueBefore ? before.dueAt : formatShanghai(dueMs),
  };
}

/** The fields that are there. */
function kept<F extends keyof Warning>(warning: Warning, fields: readonly F[]): Pick<Warning, F> {
  const there = fields.filter((field) => warning[field] !== undefined).map((field) => [field, warning[field]]);
  return Object.fromEntries(there) as Pick<Warning, F>;
}

function seenBy(by: string, at: string): { acknowledgedAt: string; acknowledgedBy: string } {
  return { acknowledgedAt: at, acknowledgedBy: by };
}

function noted(note: string | undefined): { note?: string } {
  return note === undefined ? {} : { note };
}
