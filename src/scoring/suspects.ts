import { accountKinds } from '../domain/transaction.js';
import type { Evaluation } from './evaluation.js';
import type { PartyView } from './transaction-view.js';
import { isOnList } from './vocabulary/knowledge.js';

/** Lists whose entries are suspected of fraud themselves: accounts, credit codes of their holders, names of enterprises. */
const suspectLists = ['case-accounts', 'black'] as const;
const corporateKind = accountKinds.indexOf('corporate') + 1;

/**
 * Whether the party is suspected at the leg's time: it stands on a list of suspects, or case money has given its account a level.
 * Lists are known to every partition; the level is asked of the leg's own account, whose partition keeps it.
 */
export function isSuspected(leg: Evaluation, party: PartyView, isOwn: boolean): boolean {
  const { lists, traces } = leg.memory;
  for (const name of suspectLists) {
    const list = lists.knownNumberOf(name);
    if (isOnList(leg, party, list) || isNameOnList(leg, party, list)) return true;
  }
  return isOwn && !Number.isNaN(traces.caseLevel(leg.subject, leg.timeMs));
}

/** Persons share names: only an enterprise is known by its own. */
function isNameOnList({ memory, view, timeMs }: Evaluation, { kind, nameStart, nameEnd }: PartyView, list: number): boolean {
  if (kind !== corporateKind || nameStart < 0 || !memory.lists.isKnown(list)) return false;
  return memory.lists.hasText(list, view.text(nameStart, nameEnd), timeMs);
}
