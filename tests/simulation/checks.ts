import { isDeepStrictEqual } from 'node:util';
import { decodeEvents, type Event, type EventFrame } from '../../src/domain/event.js';
import { deliveryId, type Delivery } from '../../src/domain/delivery.js';
import { recipientsOf } from '../../src/domain/dispatch-policy.js';
import { frameFlag, readFrame, role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { partitionOf } from '../../src/domain/partition.js';
import type { Recipient } from '../../src/domain/recipient.js';
import type { Warning } from '../../src/domain/warning.js';
import { archivedTopics, type Topic } from '../../src/ports/log.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { distinct, expectedWarnings, hitsOfLog, sayingOf, TwoContents, type Hits } from './expected.js';
import type { LogServer } from './log.js';
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
      ...(goal.hasArchive ? checkArchive(goal) : []),
    ];
  } catch (error) {
    if (error instanceof TwoContents) return [error.message];
    throw error;
  }
}

export function eventsOn(log: LogServer, topic: Topic): Event[] {
  return framesOn(log, topic).flatMap(({ events }) => events);
}

/** Without the commands that stand among them. */
const hitsOn = (log: LogServer): Event[] => eventsOn(log, 'hits').filter(({ type }) => type.startsWith('hit.'));

export function framesOn(log: LogServer, topic: Topic) {
  const all = Array.from({ length: log.partitions(topic) }, (_, partition) =>
    log.records(topic, partition).map(({ value }) => ({ ...frameOf(value), partition })),
  );
  return all.flat();
}

/** A record on the log is the same for ever: it is decoded once. */
const decoded = new WeakMap<Uint8Array, EventFrame>();

function frameOf(value: Uint8Array): EventFrame {
  let frame = decoded.get(value);
  if (!frame) decoded.set(value, (frame = decodeEvents(value)));
  return frame;
}

interface LegOnLog {
  readonly text: string;
  readonly roles: number;
  readonly flags: number;
  readonly start: number;
}

export function* entriesOn(log: LogServer, partition: number): Generator<LegOnLog> {
  for (const { value } of log.records('transactions', partition)) {
    for (const { roles, flags, start, end } of readFrame(value)) {
      yield { text: Buffer.from(value.subarray(start, end)).toString(), roles, flags, start };
    }
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
    // What is acknowledged by one is not sent to the others any more.
    if ([...told.values()].some(({ id, acknowledgedAt }) => id === warning.id && acknowledgedAt !== undefined)) continue;
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
  const settled = new Set(
    eventsOn(around.log, 'deliveries')
      .filter(({ type }) => type === 'delivery.delivered' || type === 'delivery.cancelled')
      .map(({ data }) => (data as Delivery).deliveryId),
  );
  for (const id of received.keys()) if (!settled.has(id)) broken.push(`delivery ${id} was made, and the log does not say so`);
  return broken;
}

const keyOf = ({ id, revision }: Warning): string => `${id}#${revision}`;

/** The archive holds what the log holds, each thing once. */
function checkArchive({ around: { log, warehouse } }: Goal): string[] {
  const transactions = new Set<string>();
  for (let p = 0; p < partitions.transactions; p++) {
    for (const { text, roles } of entriesOn(log, p)) {
      if (roles >= role.forward || (roles & role.debit) === 0) continue;
      const { id, bank } = JSON.parse(text) as { id: string; bank: string };
      transactions.add(`${id} ${bank}`);
    }
  }
  const broken = differences('archived transactions', transactions, warehouse.final('transactions'));
  for (const topic of archivedTopics) {
    if (topic === 'transactions' || topic === 'legs' || topic === 'events' || topic === 'controls') continue;
    const table = topic === 'commands' ? 'events' : topic;
    const rows = [...warehouse.final(table).values()].map(({ id, revision }) =>
      topic === 'warnings' ? `${id}#${revision}` : id,
    );
    const onLog =
      topic === 'warnings'
        ? lastRevisions(log)
        : new Set((topic === 'hits' ? hitsOn(log) : eventsOn(log, topic)).map(({ id }) => id));
    broken.push(...differences(`archived ${topic}`, onLog, new Set(rows)));
  }
  return broken;
}

function lastRevisions(log: LogServer): Set<string> {
  const last = new Map<string, number>();
  for (const { data } of eventsOn(log, 'warnings')) {
    const { id, revision } = data as Warning;
    last.set(id, Math.max(revision, last.get(id) ?? 0));
  }
  return new Set([...last].map(([id, revision]) => `${id}#${revision}`));
}

type Known = ReadonlySet<string> | ReadonlyMap<string, unknown>;

function differences(what: string, wanted: Known, found: Known): string[] {
  const broken: string[] = [];
  const lost = [...wanted.keys()].filter((key) => !found.has(key));
  const phantom = [...found.keys()].filter((key) => !wanted.has(key));
  if (lost.length > 0) broken.push(`lost ${what}: ${lost.length} of ${wanted.size}, such as ${describe(wanted, lost[0]!)}`);
  if (phantom.length > 0) broken.push(`phantom ${what}: ${phantom.length}, such as ${describe(found, phantom[0]!)}`);
  if (!(wanted instanceof Map) || !(found instanceof Map)) return broken;
  const wrong = [...wanted].find(([key, text]) => found.has(key) && typeof text === 'string' && found.get(key) !== text);
  if (wrong)
    broken.push(new TwoContents(`wrong ${what}: ${wrong[0]}`, wrong[1] as string, found.get(wrong[0]) as string).message);
  return broken;
}

function describe(from: Known, key: string): string {
  const value = from instanceof Map ? (from.get(key) as unknown) : null;
  return `${key}${typeof value === 'string' ? ` ${value.slice(0, 160)}` : ''}`;
}

/** How often a rare path was taken, as far as the log shows it. */
export function countRarePaths({ world, log }: Surroundings): void {
  for (let p = 0; p < partitions.transactions; p++) {
    const seen = new Set<string>();
    for (const { text, roles, flags } of entriesOn(log, p)) {
      if (roles >= role.forward) continue;
      if ((flags & frameFlag.maybeResent) !== 0) world.count('a transaction was flagged as perhaps resent');
      const key = `${text} ${roles}`;
      if (seen.has(key))
        world.count((flags & frameFlag.maybeResent) !== 0 ? 'a leg came twice, flagged' : 'a leg came twice, not flagged');
      seen.add(key);
    }
  }
  for (const topic of ['hits', 'warnings', 'deliveries'] as const) {
    const first = new Map<string, string>();
    for (const { producer, sequence, partition, events } of framesOn(log, topic)) {
      const key = `${partition} ${producer} ${sequence}`;
      const text = JSON.stringify(events);
      const before = first.get(key);
      if (before === undefined) first.set(key, text);
      else if (before === text) world.count(`a frame of ${topic} was sent again`);
      else world.count(`a frame of ${topic} was sent again with other events`);
    }
  }
}
