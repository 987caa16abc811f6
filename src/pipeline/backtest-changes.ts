import type { Bilingual, Hit, HitParty, Severity } from '../domain/hit.js';
import { maskAccount, maskNaming, maskPartyName, maskText } from '../domain/privacy.js';

/** Which hits the drafts would add to what is in force, and which they would take away. */
export interface Changes {
  /** Hits of both sets on the same records. */
  add(inForce: readonly Hit[], draft: readonly Hit[]): void;
  result(): ChangesResult;
}

/** Also what is kept of it while a run is interrupted. */
export interface ChangesResult {
  readonly same: number;
  readonly added: Change;
  readonly gone: Change;
}

export interface Change {
  readonly hits: number;
  readonly byPattern: Readonly<Record<string, number>>;
  /** The first ones of each pattern. */
  readonly examples: readonly HitExample[];
}

/** A hit as a report shows it: accounts and persons masked. */
export interface HitExample {
  readonly pattern: string;
  readonly version: number;
  readonly time: string;
  readonly transaction: string;
  readonly amountFen: number;
  readonly severity: Severity;
  readonly subject: string;
  readonly payer: string;
  readonly payee: string;
  readonly reason: Bilingual;
  readonly condition: string;
}

const examplesMax = 5;

export function createChanges(state?: ChangesResult): Changes {
  let same = state?.same ?? 0;
  const added = createChange(state?.added);
  const gone = createChange(state?.gone);
  return {
    add(inForce, draft) {
      const before = new Map(inForce.map((hit) => [nameOf(hit), hit]));
      for (const hit of draft) {
        if (before.delete(nameOf(hit))) same++;
        else added.add(hit);
      }
      for (const hit of before.values()) gone.add(hit);
    },
    result: () => ({ same, added: added.result(), gone: gone.result() }),
  };
}

/** What makes a hit the same for whoever is warned, whatever version of its pattern found it. */
function nameOf({ pattern, bank, transaction, subject, time, payer }: Hit): string {
  return [pattern, bank ?? '', transaction, subject.kind, subject.id, payer.account === subject.id, time].join('\n');
}

function createChange(state: Change | undefined): { add(hit: Hit): void; result(): Change } {
  let hits = state?.hits ?? 0;
  const byPattern = new Map(Object.entries(state?.byPattern ?? {}));
  const examples: HitExample[] = [...(state?.examples ?? [])];
  return {
    add(hit) {
      hits++;
      const count = (byPattern.get(hit.pattern) ?? 0) + 1;
      byPattern.set(hit.pattern, count);
      if (count <= examplesMax) examples.push(exampleOf(hit));
    },
    result: () => ({
      hits,
      byPattern: Object.fromEntries([...byPattern].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      examples: [...examples],
    }),
  };
}

function exampleOf(hit: Hit): HitExample {
  const { pattern, version, time, transaction, amountFen, severity, subject, explanation } = hit;
  const { zh, en, condition } = explanation;
  const parties = [hit.payer, hit.payee].flatMap(({ name, kind }) =>
    name === undefined ? [] : [{ name, shown: maskPartyName(name, kind) }],
  );
  return {
    pattern,
    version,
    time,
    transaction: maskText(transaction),
    amountFen,
    severity,
    subject: subject.kind === 'account' ? maskAccount(subject.id) : maskText(subject.id),
    payer: partyText(hit.payer),
    payee: partyText(hit.payee),
    reason: { zh: maskNaming(zh, parties), en: maskNaming(en, parties) },
    condition: maskNaming(condition, parties),
  };
}

function partyText({ account, name, kind }: HitParty): string {
  return `${name === undefined ? '' : `${maskPartyName(name, kind)} `}${maskAccount(account)}`;
}
