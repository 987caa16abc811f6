import { isDeepStrictEqual } from 'node:util';
import { deliveryId, type Delivery } from '../../src/domain/delivery.js';
import { recipientsOf } from '../../src/domain/dispatch-policy.js';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { partitionOf } from '../../src/domain/partition.js';
import type { Recipient } from '../../src/domain/recipient.js';
import type { Warning } from '../../src/domain/warning.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { checkArchive } from './check-archive.js';
import { differences } from './differences.js';
import { distinct, expectedWarnings, hitsOfLog, sayingOf, TwoContents, type Hits } from './expected.js';
import { entriesOn, eventsOn, hitsOn } from './log-views.js';
import { partitions, routes } from './material.js';
import type { Surroundings } from './process.js';

/** What must hold whenever everything has come to rest. Each gives what is broken, in words. */
export interface Goal {
  readonly around: Surroundings;
  /** All lines that were sent so far. */
  readonly lines: readonly string[];
  readonly poisoned: readonly string[];
  readonly hits: Hits;
  /** Where the set changes amid the run, hits of patterns are those that the journal asks for. */
  readonly sets: readonly PatternSet[];
  readonly recipients: readonly Recipient[];
  readonly hasDispatch: boolean;
  readonly hasArchive: boolean;
  readonly isReal: boolean;
}

export function brokenPromises(goal: Goal): string[] {
  try {
    const hits = distinct(hitsOn(goal.around.log).map(({ data }) => data as Hit));
    return [
      ...checkTransactions(goal),
      ...checkHits(goal, hits),
      ...checkWarnings(goal, hits),
      ...(goal.hasDispatch ? checkDeliveries(goal) : []),
      ...(goal.hasArchive ? checkArchive(goal.around) : []),
    ];
  } catch (error) {
    if (error instanceof TwoContents) return [error.message];
    throw error;
  }
}

function checkTransactions({ around, lines }: Goal): string[] {
  const wanted = new Set<string>();
  for (const line of lines) {
    const { id } = JSON.parse(line) as { id: string };
    wanted.add(`${id} debit`).add(`${id} credit`);
  }
  const found = new Set<string>();
  for (let p = 0; p < partitions.transactions; p++) {
    for (const { text, roles } of entriesOn(around.log, p)) {
      if (roles >= role.forward) continue;
      const { id } = JSON.parse(text) as { id: string };
      if ((roles & role.debit) !== 0) found.add(`${id} debit`);
      if ((roles & role.credit) !== 0) found.add(`${id} credit`);
    }
  }
  return differences('legs on the log', wanted, found);
}

function checkHits(goal: Goal, found: Hits): string[] {
  const broken: string[] = [];
  const [patternHits, talkHits] = split(found);
  const [wantedHits, wantedTalk] = split(goal.hits);
  broken.push(...differences('hits of what partitions tell one another', wantedTalk, talkHits));
  const wanted = goal.sets.length > 1 ? hitsByJournal(goal) : wantedHits;
  broken.push(...differences('hits', wanted, patternHits));
  const rejected = new Set(eventsOn(goal.around.log, 'rejected').map(({ subject }) => subject));
  broken.push(...differences('records on which scoring fails', new Set(goal.poisoned), rejected));
  return broken;
}

/** Hits of patterns, and of what partitions tell one another. */
function split(hits: Hits): [Hits, Hits] {
  const all = [...hits];
  const isOfTalk = (text: string): boolean => text.includes('"family":"talk"');
  return [new Map(all.filter(([, text]) => !isOfTalk(text))), new Map(all.filter(([, text]) => isOfTalk(text)))];
}

/** Scores each partition's log again, under the sets that its journal names. */
function hitsByJournal({ around, sets, isReal }: Goal): Hits {
  const hits: Hit[] = [];
  for (let p = 0; p < partitions.transactions; p++) {
    const entries = around.state
      .scan(`score/${p}`, { prefix: 'journal/entry/', limit: 1_000_000 })
      .map(({ value }) => JSON.parse(Buffer.from(value).toString()) as { upTo: number; patternSetId: string });
    const stretches = entries.map(({ upTo, patternSetId }) => ({ upTo, set: sets.find(({ id }) => id === patternSetId)! }));
    const records = around.log.records('transactions', p).map(({ value }) => value);
    hits.push(...hitsOfLog(records, stretches, (key) => partitionOf(key, partitions.transactions) === p, isReal));
  }
  return distinct(hits);
}

function checkWarnings({ around }: Goal, hits: Hits): string[] {
  const broken: string[] = [];
  const wanted = expectedWarnings(hits);
  const stored = storedWarnings(around);
  broken.push(...differences('warnings', sayings(wanted), sayings(stored)));

  const told = new Map<string, Map<number, string>>();
  for (const { type, data, id } of eventsOn(around.log, 'warnings')) {
    const warning = data as Warning;
    const revisions = told.get(warning.id) ?? new Map<number, string>();
    told.set(warning.id, revisions);
    if ((type === 'warning.raised') !== (warning.revision === 1)) broken.push(`${type} ${id} with revision ${warning.revision}`);
    const text = JSON.stringify(warning);
    const before = revisions.get(warning.revision) ?? text;
    if (before !== text) broken.push(new TwoContents(`warning ${warning.id}#${warning.revision}`, before, text).message);
    revisions.set(warning.revision, text);
  }
  for (const [id, warning] of stored) {
    const revisions = told.get(id);
    const last = Math.max(0, ...(revisions?.keys() ?? []));
    if (revisions?.size !== last) broken.push(`warning ${id}: ${revisions?.size} revisions were told, the last is ${last}`);
    if (last !== warning.revision) broken.push(`warning ${id}: revision ${last} was told, ${warning.revision} is stored`);
    else if (revisions!.get(last) !== JSON.stringify(warning)) broken.push(`warning ${id}: what is stored was not told`);
  }
  for (const id of told.keys()) if (!stored.has(id)) broken.push(`warning ${id} was told and is not stored`);
  return [...broken, ...checkCommands(around, told)];
}

/** Who acknowledged is heard: the warning says so in some revision. */
function checkCommands({ log, world }: Surroundings, told: ReadonlyMap<string, ReadonlyMap<number, string>>): string[] {
  const acknowledged = new Set(eventsOn(log, 'commands').map(({ subject }) => subject));
  if (acknowledged.size > 0) world.count('a warning was acknowledged', acknowledged.size);
  return [...acknowledged]
    .filter((id) => ![...(told.get(id)?.values() ?? [])].some((text) => text.includes('"acknowledgedAt"')))
    .map((id) => `warning ${id} was acknowledged, and no revision says so`);
}

export function storedWarnings({ state }: Surroundings): Map<string, Warning> {
  const stored = new Map<string, Warning>();
  for (let p = 0; p < partitions.hits; p++) {
    for (const { value } of state.scan(`warn/${p}`, { prefix: 'w/', limit: 1_000_000 })) {
      const { warning } = JSON.parse(Buffer.from(value).toString()) as { warning: Warning | null };
      if (warning) stored.set(warning.id, warning);
    }
  }
  return stored;
}

function sayings(warnings: ReadonlyMap<string, Warning>): Map<string, string> {
  return new Map([...warnings].map(([id, warning]) => [id, sayingOf(warning)]));
}

/** Everybody concerned was told of each warning at its last level, and nobody of what was never on the log. */
function checkDeliveries({ around, recipients }: Goal): string[] {
  const broken: string[] = [];
  const told = new Map(eventsOn(around.log, 'warnings').map(({ data }) => [keyOf(data as Warning), data as Warning]));
  const received = new Map<string, Warning>();
  for (const { deliveryId: id, warning, target } of around.receiver.received) {
    const known = told.get(keyOf(warning));
    if (!known || !isDeepStrictEqual(known, warning))
      broken.push(`${target.recipient} was told warning ${keyOf(warning)}, which is not on the log so`);
    received.set(id, warning);
  }
  const wanted = new Map<string, string>();
  const allowed = new Set<string>();
  for (const warning of told.values()) {
    for (const recipient of recipientsOf(warning, recipients)) {
      if (!routes.channels[warning.level][recipient.kind].includes('webhook')) continue;
      allowed.add(deliveryId(warning.id, warning.level, recipient.id, 'webhook'));
    }
  }
  for (const warning of storedWarnings(around).values()) {
    for (const recipient of recipientsOf(warning, recipients)) {
      if (!routes.channels[warning.level][recipient.kind].includes('webhook')) continue;
      wanted.set(
        deliveryId(warning.id, warning.level, recipient.id, 'webhook'),
        `${warning.id} ${warning.level} to ${recipient.id}`,
      );
    }
  }
  for (const [id, what] of wanted) if (!received.has(id)) broken.push(`warning ${what} was not delivered`);
  for (const id of received.keys()) if (!allowed.has(id)) broken.push(`delivery ${id} was made, and no revision asks for it`);
  const outcomes = new Map<string, string[]>();
  for (const { data } of eventsOn(around.log, 'deliveries')) {
    const { deliveryId: id, outcome } = data as Delivery;
    outcomes.set(id, [...(outcomes.get(id) ?? []), outcome]);
  }
  for (const id of received.keys()) {
    const said = outcomes.get(id) ?? [];
    if (!said.includes('delivered') && !said.includes('cancelled'))
      broken.push(`delivery ${id} was made, and the log does not say so, but: ${said.join(', ') || 'nothing'}`);
  }
  return broken;
}

const keyOf = ({ id, revision }: Warning): string => `${id}#${revision}`;
