import { dayNumber, formatDay } from './bank-day.js';
import { audiences, severities, type Audience, type Bilingual, type Hit, type PatternSide, type Severity } from './hit.js';
import { transactionIdentity, warningId } from './identity.js';
import { kindOfName } from './privacy.js';
import type { WarningPolicy } from './warning-policy-schema.js';
import type { Warning, WarningHit } from './warning.js';

/** What is kept of the hits of one warning. Pure, and the same whatever the order the hits came in. */

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
  /** A hit says that the holder is suspected; absent where none does. */
  readonly suspected?: true;
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
function subjectOf(hit: Hit): { party: Hit['payer']; counterparty: Hit['payer'] } {
  const isPayer = hit.subject.kind !== 'account' || hit.warns === 'payers' || hit.subject.id === hit.payer.account;
  return isPayer ? { party: hit.payer, counterparty: hit.payee } : { party: hit.payee, counterparty: hit.payer };
}

/** What warnings are grouped by: the enterprise where the bank names it, else the account. */
export function subjectKeyOf(hit: Hit): string {
  // Enterprises that share a thing are one case: they are told of together.
  if (hit.subject.kind !== 'account') return `${hit.subject.kind}:${hit.subject.id}`;
  const { party } = subjectOf(hit);
  return party.creditCode ?? party.account;
}

export function warningIdOf(hit: Hit): string {
  return warningId(subjectKeyOf(hit), hit.family, dayOf(hit));
}

/** A payment has at least one fen: without an amount a reference record led to the hit, and there is no other party. */
const isPayment = ({ amountFen }: Hit): boolean => amountFen > 0;

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
      ...(hit.suspected ? { suspected: true } : {}),
      amounts:
        seen.length > 0
          ? facts.amounts
          : { ...facts.amounts, [hit.currency]: sumFen(facts.amounts[hit.currency] ?? 0, hit.amountFen) },
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

/** A thousand payments of the largest amount are more than a double counts exactly: a sum stays at the largest exact one. */
function sumFen(one: number, other: number): number {
  return Math.min(one + other, Number.MAX_SAFE_INTEGER);
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
    ...(hit.suspected ? { suspected: true } : {}),
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
      ...kindBesideName(party),
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

/** The kind that the bank says, where the name by itself says otherwise: what is said twice is not kept. */
function kindBesideName({ name, kind }: Hit['payer']): Pick<Hit['payer'], 'kind'> {
  return name === undefined || kind === undefined || kind === kindOfName(name) ? {} : { kind };
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
    ...(isPayment(hit)
      ? {
          counterparty: {
            account: counterparty.account,
            ...(counterparty.name === undefined ? {} : { name: counterparty.name }),
            ...kindBesideName(counterparty),
            ...(counterparty.bank === undefined ? {} : { bank: counterparty.bank }),
          },
        }
      : {}),
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

export function strength(of: { readonly severity: Severity; readonly score: number }, policy: WarningPolicy): number {
  return policy.severityWeights[of.severity] * Math.min(Math.max(of.score, 0), 1);
}

export function union(one: readonly Audience[], other: readonly Audience[]): Audience[] {
  return audiences.filter((audience) => one.includes(audience) || other.includes(audience));
}

function dayOf(hit: Hit): string {
  return formatDay(dayNumber(Date.parse(hit.time)));
}
