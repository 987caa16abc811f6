import type { Evaluation } from './evaluation.js';
import { corporateKind, type PartyView } from './transaction-view.js';
import { isOnList } from './vocabulary/knowledge.js';

/** Lists whose entries are suspected of fraud themselves: accounts, credit codes of their holders, names of enterprises. */
const suspectLists = ['case-accounts', 'black'] as const;

/**
 * Whether the party is suspected at the leg's time: it stands on a list of suspects, on which whoever a `case-account` record names is
 * put as well. A case level that came by payments alone suspects nobody: honest firms are paid with case money too.
 */
export function isSuspected(leg: Evaluation, party: PartyView): boolean {
  const { lists } = leg.memory;
  return suspectLists.some((name) => {
    const list = lists.knownNumberOf(name);
    return isOnList(leg, party, list) || isNameOnList(leg, party, list);
  });
}

/** Persons share names: only an enterprise is known by its own. */
function isNameOnList({ memory, view, timeMs }: Evaluation, { kind, nameStart, nameEnd }: PartyView, list: number): boolean {
  if (kind !== corporateKind || nameStart < 0 || !memory.lists.isKnown(list)) return false;
  return memory.lists.hasText(list, view.text(nameStart, nameEnd), timeMs);
}
