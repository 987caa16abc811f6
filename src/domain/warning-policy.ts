import { z } from 'zod';
import { dayNumber, formatDay, formatShanghai } from './bank-day.js';
import { audiences, severities, type Audience, type Bilingual, type Hit, type PatternSide, type Severity } from './hit.js';
import { transactionIdentity, warningId } from './identity.js';
import type { WarningCommand } from './warning-command.js';
import { levels, type Level, type Verdict, type Warning, type WarningHit } from './warning.js';

/**
 * How hits become a warning. Pure: what a warning says follows from the set of its hits, never from the order they came
 * in; only `revision` and the wall-clock times (`raisedAt`, `dueAt`) tell of the order.
 */

const share = z.number().gt(0).max(1);
const minutes = z.int().min(1).max(43_200);

export const warningPolicySchema = z.strictObject({
  /** How much a pattern of this severity adds, times the hit's own score. */
  severityWeights: z.strictObject({ low: share, medium: share, high: share, critical: share }),
  /** Least score of each level; below yellow's it is blue. */
  levelScores: z
    .strictObject({ yellow: share, orange: share, red: share })
    .refine((at) => at.yellow < at.orange && at.orange < at.red, 'expected yellow < orange < red'),
  /** The level that one hit of this severity reaches by itself. */
  severityFloors: z.strictObject({
    low: z.enum(levels),
    medium: z.enum(levels),
    high: z.enum(levels),
    critical: z.enum(levels),
  }),
  /** A critical pattern and this many other patterns make it red whatever the score. */
  redCorroboration: z.int().min(1).max(10),
  /** By when someone must acknowledge, in minutes from when the level was reached. */
  dueMinutes: z.strictObject({ red: minutes, orange: minutes, yellow: minutes, blue: minutes }),
});
export type WarningPolicy = z.infer<typeof warningPolicySchema>;

/** Most hits that a warning lists; `hitCount` counts all. */
export const hitsListedMax = 50;

/** What is kept of all hits of one warning. Every field is a maximum, a minimum, a union or a sum over the set of hits. */
export interface WarningFacts {
  readonly id: string;
  readonly family: string;
  readonly day: string;
  readonly key: string;
  readonly side: PatternSide;
  /** The strongest hit of each pattern. */
  readonly patterns: Readonly<Record<string, { readonly severity: Severity; readonly score: number }>>;
  /** Union over the hits, before the rule that a suspected mule is not told. */
  readonly audience: readonly Audience[];
  /** Distinct transactions, by currency. */
  readonly amounts: Readonly<Record<string, number>>;
  readonly hitCount: number;
  readonly firstTime: string;
  readonly lastTime: string;
  readonly receivedAtMs: number;
  /** Strongest first, at most `hitsListedMax`. */
  readonly hits: readonly WarningHit[];
  readonly strongest: Told;
  /** Of the strongest hit that names its subject, so that one bank's missing name hides nobody. */
  readonly named: Told | null;
}

/** What the strongest hit gives to the whole warning. */
interface Told {
  readonly rank: Rank;
  readonly subject: Warning['subject'];
  readonly currency: string;
  readonly title: Bilingual;
  readonly reason: Bilingual;
  readonly advice: Bilingual;
}

interface Rank {
  readonly severity: Severity;
  readonly score: number;
  readonly time: string;
  readonly id: string;
}

/** The party that the hit is about, and the other one. */
export function subjectOf(hit: Hit): { party: Hit['payer']; counterparty: Hit['payer'] } {
  return hit.subject.id === hit.payer.account
    ? { party: hit.payer, counterparty: hit.payee }
    : { party: hit.payee, counterparty: hit.payer };
}

/** What warnings are grouped by: the enterprise where the bank names it, else the account. */
export function subjectKeyOf(hit: Hit): string {
  const { party } = subjectOf(hit);
  return party.creditCode ?? party.account;
}

export function warningIdOf(hit: Hit): string {
  return warningId(subjectKeyOf(hit), hit.family, dayOf(hit));
}

/** The transaction that a hit is about, as one warning tells transactions apart. */
export function transactionOf(hit: Hit): string {
  return transactionIdentity(hit.bank ?? '', hit.transaction);
}

/**
 * Adds one hit. `seen` are the ids of this warning's hits on the same transaction so far.
 * Hits of shadow patterns must be left out before.
 */
export function absorbHit(
  facts: WarningFacts | null,
  hit: Hit,
  seen: readonly string[],
  policy: WarningPolicy,
): { outcome: 'absorbed'; facts: WarningFacts } | { outcome: 'repeat'; facts: WarningFacts | null } {
  if (seen.includes(hit.id)) return { outcome: 'repeat', facts };
  const told = toldBy(hit);
  if (!facts) return { outcome: 'absorbed', facts: firstFacts(hit, told) };

  const known = facts.patterns[hit.pattern];
  const isStronger = !known || strength(hit, policy) > strength(known, policy);
  return {
    outcome: 'absorbed',
    facts: {
      ...facts,
      side: hit.side === 'mule' ? 'mule' : facts.side,
      patterns: isStronger ? { ...facts.patterns, [hit.pattern]: { severity: hit.severity, score: hit.score } } : facts.patterns,
      audience: union(facts.audience, hit.audience),
      amounts:
        seen.length > 0
          ? facts.amounts
          : { ...facts.amounts, [hit.currency]: (facts.amounts[hit.currency] ?? 0) + hit.amountFen },
      hitCount: facts.hitCount + 1,
      firstTime: hit.time < facts.firstTime ? hit.time : facts.firstTime,
      lastTime: hit.time > facts.lastTime ? hit.time : facts.lastTime,
      receivedAtMs: Math.min(facts.receivedAtMs, hit.receivedAtMs),
      hits: insertHit(facts.hits, listed(hit), policy),
      strongest: strongerOf(facts.strongest, told, policy),
      named: told.subject.name === '' ? facts.named : facts.named ? strongerOf(facts.named, told, policy) : told,
    },
  };
}

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
    before && change === 'grown' ? lifeOf(before) : { ...(before ? told(before) : {}), ...opened(before, level, policy, nowMs) };
  const warning: Warning = {
    id: facts.id,
    revision: (before?.revision ?? 0) + 1,
    family: facts.family,
    side: facts.side,
    day: facts.day,
    subject: named ? { ...strongest.subject, name: named.subject.name } : strongest.subject,
    level,
    score,
    audience: audienceOf(facts, before?.verdict),
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

export type CommandOutcome =
  | { readonly kind: 'changed'; readonly change: WarningChange; readonly warning: Warning }
  /** Said before, word for word: nothing to tell. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly reason: string };

/** What a person's word does to a warning. `at` is when it was said, ISO 8601. */
export function obeyCommand(warning: Warning, facts: WarningFacts, command: WarningCommand, at: string): CommandOutcome {
  const next = { ...warning, revision: warning.revision + 1 };
  switch (command.type) {
    case 'warning.acknowledge':
      if (warning.status === 'disposed') return { kind: 'refused', reason: 'the warning is disposed of already' };
      if (warning.status === 'acknowledged') return { kind: 'unchanged' };
      return {
        kind: 'changed',
        change: 'acknowledged',
        warning: { ...next, status: 'acknowledged', ...seenBy(command.data.by, at), ...noted(command.data.note) },
      };
    case 'warning.dispose': {
      const { verdict, note, by } = command.data;
      if (warning.status === 'disposed' && warning.verdict === verdict && (note ?? warning.note) === warning.note) {
        return { kind: 'unchanged' };
      }
      const disposed: Warning = { ...next, status: 'disposed', verdict, audience: audienceOf(facts, verdict), ...noted(note) };
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

/**
 * Whom the warning reaches. A suspected mule is never told (反洗钱法 2024, art. 35: reports of suspicion are confidential),
 * until a person found that the firm was tricked: then it is a victim and must be told.
 */
export function audienceOf(facts: Pick<WarningFacts, 'side' | 'audience'>, verdict: Verdict | undefined): Audience[] {
  if (facts.side === 'victim') return [...facts.audience];
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

type Life = Pick<Warning, 'status' | 'raisedAt' | 'dueAt'> &
  Pick<Warning, 'verdict' | 'note' | 'acknowledgedAt' | 'acknowledgedBy' | 'appeal'>;

function lifeOf(warning: Warning): Life {
  return {
    status: warning.status,
    raisedAt: warning.raisedAt,
    dueAt: warning.dueAt,
    ...told(warning),
    ...acknowledgement(warning),
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

function told(warning: Warning): Pick<Life, 'verdict' | 'note' | 'appeal'> {
  return {
    ...(warning.verdict === undefined ? {} : { verdict: warning.verdict }),
    ...(warning.note === undefined ? {} : { note: warning.note }),
    ...(warning.appeal === undefined ? {} : { appeal: warning.appeal }),
  };
}

function acknowledgement(warning: Warning): Pick<Life, 'acknowledgedAt' | 'acknowledgedBy'> {
  return {
    ...(warning.acknowledgedAt === undefined ? {} : { acknowledgedAt: warning.acknowledgedAt }),
    ...(warning.acknowledgedBy === undefined ? {} : { acknowledgedBy: warning.acknowledgedBy }),
  };
}

function seenBy(by: string, at: string): { acknowledgedAt: string; acknowledgedBy: string } {
  return { acknowledgedAt: at, acknowledgedBy: by };
}

function noted(note: string | undefined): { note?: string } {
  return note === undefined ? {} : { note };
}

function firstFacts(hit: Hit, told: Told): WarningFacts {
  return {
    id: warningIdOf(hit),
    family: hit.family,
    day: dayOf(hit),
    key: told.subject.key,
    side: hit.side,
    patterns: { [hit.pattern]: { severity: hit.severity, score: hit.score } },
    audience: union([], hit.audience),
    amounts: { [hit.currency]: hit.amountFen },
    hitCount: 1,
    firstTime: hit.time,
    lastTime: hit.time,
    receivedAtMs: hit.receivedAtMs,
    hits: [listed(hit)],
    strongest: told,
    named: told.subject.name === '' ? null : told,
  };
}

function toldBy(hit: Hit): Told {
  const { party } = subjectOf(hit);
  const { zh, en } = hit.explanation;
  return {
    rank: { severity: hit.severity, score: hit.score, time: hit.time, id: hit.id },
    subject: {
      key: subjectKeyOf(hit),
      name: party.name ?? '',
      account: party.account,
      ...(party.creditCode === undefined ? {} : { creditCode: party.creditCode }),
      ...(party.bank === undefined ? {} : { bank: party.bank }),
      ...(party.region === undefined ? {} : { region: party.region }),
    },
    currency: hit.currency,
    title: hit.title,
    reason: { zh, en },
    advice: hit.advice,
  };
}

function listed(hit: Hit): WarningHit {
  const { counterparty } = subjectOf(hit);
  return {
    id: hit.id,
    pattern: hit.pattern,
    version: hit.version,
    severity: hit.severity,
    score: hit.score,
    transaction: hit.transaction,
    time: hit.time,
    amountFen: hit.amountFen,
    title: hit.title,
    reason: { zh: hit.explanation.zh, en: hit.explanation.en },
    counterparty: {
      account: counterparty.account,
      ...(counterparty.name === undefined ? {} : { name: counterparty.name }),
      ...(counterparty.bank === undefined ? {} : { bank: counterparty.bank }),
    },
    ...(hit.bankCode === undefined ? {} : { bankCode: hit.bankCode }),
  };
}

function insertHit(hits: readonly WarningHit[], hit: WarningHit, policy: WarningPolicy): WarningHit[] {
  const rank = rankOf(hit);
  const at = hits.findIndex((other) => isStrongerRank(rank, rankOf(other), policy));
  return hits.toSpliced(at === -1 ? hits.length : at, 0, hit).slice(0, hitsListedMax);
}

function rankOf(hit: WarningHit): Rank {
  const severity = severities.find((known) => known === hit.severity) ?? 'low';
  return { severity, score: hit.score, time: hit.time, id: hit.id };
}

function strongerOf(known: Told, other: Told, policy: WarningPolicy): Told {
  return isStrongerRank(other.rank, known.rank, policy) ? other : known;
}

/** A total order: strength, then the later transaction, then the id. All times are written alike, so text order is time order. */
function isStrongerRank(one: Rank, other: Rank, policy: WarningPolicy): boolean {
  const difference = strength(one, policy) - strength(other, policy);
  if (difference !== 0) return difference > 0;
  return one.time === other.time ? one.id < other.id : one.time > other.time;
}

function strength(of: { readonly severity: Severity; readonly score: number }, policy: WarningPolicy): number {
  return policy.severityWeights[of.severity] * Math.min(Math.max(of.score, 0), 1);
}

function union(one: readonly Audience[], other: readonly Audience[]): Audience[] {
  return audiences.filter((audience) => one.includes(audience) || other.includes(audience));
}

function dayOf(hit: Hit): string {
  return formatDay(dayNumber(Date.parse(hit.time)));
}
