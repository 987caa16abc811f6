import type { Hit } from '../domain/hit.js';
import { absorbHit, transactionOf, warningIdOf, type WarningFacts } from '../domain/warning-facts.js';
import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import { isTold, obeyCommand, settleWarning, type WarningChange } from '../domain/warning-policy.js';
import type { Warning } from '../domain/warning.js';
import type { SaidCommand, WarnInput } from './warn-inputs.js';
import type { ShelvedWarning, WarningShelf } from './warning-shelf.js';

/** A revision to be told. */
export interface Revision {
  readonly warning: Warning;
  readonly change: WarningChange;
  readonly timeMs: number;
  /** Of the oldest transaction among the new hits; undefined for what a person said. */
  readonly receivedAtMs: number | undefined;
}

export interface Decisions {
  readonly revisions: readonly Revision[];
  /** All that changed, also what nobody is told yet. */
  readonly entries: readonly ShelvedWarning[];
}

/** Ids of commands that are remembered for each warning: a command that is on the log twice is obeyed once. */
const obeyedMax = 32;

/**
 * Takes the inputs one after the other: at most one revision of each warning for each input, at the input's own hour. So the
 * revisions are the same however the inputs are cut into batches.
 */
export async function decideWarnings(
  shelf: Pick<WarningShelf, 'load'>,
  inputs: readonly WarnInput[],
  policy: WarningPolicy,
): Promise<Decisions> {
  const shelved = await shelf.load(
    inputs.flatMap(({ hits, commands }) => [
      ...hits.map((hit) => ({ warningId: warningIdOf(hit), transaction: transactionOf(hit) })),
      ...commands.map(({ command }) => ({ warningId: command.data.warningId })),
    ]),
  );
  const entries = new Set<ShelvedWarning>();
  const revisions: Revision[] = [];
  const tell = (entry: ShelvedWarning, revision: Revision): void => {
    entry.warning = revision.warning;
    revisions.push(revision);
  };

  for (const { timeMs, hits, commands } of inputs) {
    for (const [id, receivedAtMs] of absorb(shelved, hits, policy)) {
      const entry = shelved(id);
      entries.add(entry);
      const settled = settleWarning(entry.warning, factsOf(entry), policy, timeMs);
      if (isTold(entry.warning, settled.warning, policy)) tell(entry, { ...settled, timeMs, receivedAtMs });
    }
    for (const [entry, outcome] of obey(shelved, commands)) {
      entries.add(entry);
      tell(entry, { ...outcome, timeMs, receivedAtMs: undefined });
    }
  }
  return { revisions, entries: [...entries] };
}

type Shelved = (warningId: string) => ShelvedWarning;

/** The warnings that have new hits, each with the time at which the oldest transaction among these came in. */
function absorb(shelved: Shelved, hits: readonly Hit[], policy: WarningPolicy): Map<string, number> {
  const oldest = new Map<string, number>();
  for (const hit of hits) {
    const entry = shelved(warningIdOf(hit));
    const transaction = transactionOf(hit);
    const { outcome, facts } = absorbHit(entry.facts, hit, entry.seen.get(transaction) ?? [], policy);
    if (outcome === 'repeat') continue;
    entry.facts = facts;
    entry.seen.set(transaction, [...(entry.seen.get(transaction) ?? []), hit.id]);
    entry.changed.add(transaction);
    oldest.set(entry.id, Math.min(oldest.get(entry.id) ?? Infinity, hit.receivedAtMs));
  }
  return oldest;
}

/** One revision a warning: what is told is the last word. */
function obey(shelved: Shelved, commands: readonly SaidCommand[]) {
  const outcomes = new Map<ShelvedWarning, { warning: Warning; change: WarningChange }>();
  for (const { id, time, command, speaker } of commands) {
    const entry = shelved(command.data.warningId);
    const before = outcomes.get(entry)?.warning ?? entry.warning;
    if (!before || entry.obeyed.includes(id)) continue;
    const outcome = obeyCommand(before, factsOf(entry), command, time, speaker);
    if (outcome.kind !== 'changed') continue;
    entry.obeyed = [...entry.obeyed, id].slice(-obeyedMax);
    const revision = outcomes.get(entry)?.warning.revision ?? outcome.warning.revision;
    outcomes.set(entry, { warning: { ...outcome.warning, revision }, change: outcome.change });
  }
  return outcomes;
}

function factsOf(entry: ShelvedWarning): WarningFacts {
  if (!entry.facts) throw new Error(`warning ${entry.id} is stored without its facts`);
  return entry.facts;
}
