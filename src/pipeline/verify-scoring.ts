import { setTimeout as sleep } from 'node:timers/promises';
import { readFrame } from '../domain/frame.js';
import type { Log, Topic } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import {
  eventOutputs,
  forwardOutput,
  frameOffset,
  outputKinds,
  outputsOf,
  scorerOf,
  type ForwardOutput,
  type Output,
  type OutputKind,
} from './verify-expected.js';
import { createLedger } from './verify-ledger.js';
import { keptEntries, readJournal, replayPartition, type JournalView } from './verify-replay.js';
import { eachRecord, endsOfTopics, placeOf, producerOf, readEvents, type VerifyProgress } from './verify-scan.js';
import { createTally, type Finding, type Tally } from './verify-tally.js';

/**
 * Scores every partition once more and compares what comes of it with what stands on the log: every hit, everything that was set
 * aside, every forward. What is looked for is held in a ledger of bounded size; whenever it is full, the topics are read through
 * for it, and the next stretch of the log is scored.
 */
export interface VerifyScoringOptions {
  readonly log: Log;
  readonly state: State;
  readonly patternStore: { load(id: string): Promise<PatternSet> };
  /** The set that was in force before any other; null where an other one came back later, so that it is not known when. */
  readonly firstSet: string | null;
  readonly quarantinedMax: number;
  /** Things held at once. */
  readonly heldMax: number;
  /** Partitions of `transactions`, each with the records to compare. */
  readonly ranges: ReadonlyMap<number, { readonly from: number; readonly to: number }>;
  readonly progress: VerifyProgress;
}

const outputTopics = ['hits', 'rejected', 'transactions'] as const satisfies Topic[];

/** The last batch may be on its way to the log while it is looked for. */
const waits = 12;
const waitMs = 250;

/** What is known about one partition before it is scored again. */
interface Owner {
  readonly journal: JournalView;
  readonly tallies: Readonly<Record<OutputKind, Tally>>;
  /** Records below were scored under a set that is forgotten, or on a history whose beginning is gone. */
  readonly sureFrom: number;
  /** Outputs of the batch written last that were found. */
  last: { found: number };
}

/** Where the forwards of one sender have come first on the log of one receiver. */
interface Order {
  sequence: number;
  index: number;
  /** Place on the receiver's log; those of an earlier stretch all lie before `base`. */
  at: number;
  base: number;
}

export async function verifyScoring(options: VerifyScoringOptions): Promise<Finding[]> {
  const { log, state, patternStore, ranges, progress, quarantinedMax } = options;
  // First the ends, then the journals: what stands below an end has been journaled by then.
  const ends = await endsOfTopics(log, outputTopics);
  const owners = new Map<number, Owner>();
  for (const partition of ranges.keys()) owners.set(partition, await ownerOf(options, partition, ends));
  const strangers = new Map(outputTopics.map((topic) => [topic, createTally(kindOf(topic), `${topic}, other producers`)]));
  const ledger = createLedger(options.heldMax);
  const orders = new Map<string, Order>();
  /** Of each partition, the records whose outputs the ledger holds. */
  let covered = new Map<number, { from: number; to: number }>();
  let isFirstLook = true;

  for (const [partition, { journal, tallies }] of owners) {
    const range = ranges.get(partition)!;
    tallies.hits.pending(Math.max(0, Math.min(range.to, ends.get(placeOf('transactions', partition))!) - journal.head.upTo));
    const upTo = Math.min(journal.head.upTo, range.to);
    if (journal.head.sequence === 0) continue;
    const stage = `transactions/${partition}: scored again`;
    for await (const batch of replayPartition({ log, patternStore, partition, journal, upTo, quarantinedMax })) {
      progress(stage, batch.upTo, upTo);
      const from = Math.max(batch.from, range.from);
      if (from >= batch.upTo) continue;
      covered.set(partition, { from: covered.get(partition)?.from ?? from, to: batch.upTo });
      for (const record of batch.outputs) {
        for (const output of outputsOf(record, partition))
          if (output.offset >= range.from) ledger.expect(output.key, output.digest, output.owner, output.offset);
      }
      if (ledger.isFull) await lookUp();
    }
  }
  await lookUp();
  return [...owners.values()]
    .flatMap(({ tallies }) => outputKinds.map((kind) => tallies[kind].finding()))
    .concat([...strangers.values()].map((tally) => tally.finding()).filter(({ phantom }) => phantom > 0));

  /** Reads the topics through for what the ledger holds, and empties it. */
  async function lookUp(): Promise<void> {
    let from = await look(new Map());
    isFirstLook = false;
    for (let i = 0; i < waits && isLastUnderWay(); i++) {
      await sleep(waitMs);
      from = await look(from);
    }
    for (const { key, owner, offset, hasOther } of ledger.unfound()) {
      // What was found under its key with another content is told already.
      if (!hasOther) await settleUnfound(key, owner, offset);
    }
    for (const order of orders.values()) order.base = order.at;
    ledger.clear();
    covered = new Map();
  }

  function isLastUnderWay(): boolean {
    for (const { owner, offset } of ledger.unfound()) if (offset >= owners.get(owner)!.journal.head.from) return true;
    return false;
  }

  async function settleUnfound(key: string, partition: number, offset: number): Promise<void> {
    const owner = owners.get(partition)!;
    const tally = owner.tallies[kindOfKey(key)];
    // Journaled, and nothing of it on the log: whoever opens the partition next sends it.
    const isUnsent = offset >= owner.journal.head.from && owner.last.found === 0 && (await isStillLast(partition, owner));
    if (isUnsent) tally.pending();
    else if (offset < owner.sureFrom) tally.incomparable();
    else tally.differs({ kind: 'missing', id: idOfKey(key), at: `transactions/${partition}@${offset}` });
  }

  async function isStillLast(partition: number, { journal }: Owner): Promise<boolean> {
    return (await readJournal(state, partition))?.head.batch === journal.head.batch;
  }

  /** Everything from `from` on. Resolves with where it ended. */
  async function look(from: ReadonlyMap<string, number>): Promise<Map<string, number>> {
    const reached = new Map<string, number>();
    for (const topic of outputTopics) {
      for (let at = 0; at < log.partitions(topic); at++) {
        const place = placeOf(topic, at);
        const end = ends.get(place)!;
        const take = (value: Uint8Array, offset: number): void => {
          if (offset % 256 === 0) progress(`${place}: compared`, offset, end);
          if (topic === 'transactions') lookAtForwards(at, value, offset);
          else lookAtEvents(topic, at, value, offset);
        };
        reached.set(place, await eachRecord(log, topic, at, { from: from.get(place) }, take));
      }
    }
    return reached;
  }

  function lookAtEvents(topic: 'hits' | 'rejected', at: number, value: Uint8Array, logOffset: number): void {
    const producer = producerOf(value) ?? readEvents(topic, at, logOffset, value).producer;
    const owner = scorerOf(producer);
    if (owner === null || owner >= log.partitions('transactions')) {
      if (topic === 'hits' && isFirstLook && producer !== `commands/${at}`) stranger(topic, producer, at, logOffset);
      return;
    }
    if (!covered.has(owner)) return;
    const frame = readEvents(topic, at, logOffset, value);
    if (!isCovered(owner, frameOffset(frame))) return;
    for (const output of eventOutputs(topic, at, frame, owner)) compare(output, topic, at, logOffset);
  }

  function lookAtForwards(at: number, value: Uint8Array, logOffset: number): void {
    let place = 0;
    for (const entry of readFrame(value)) {
      place++;
      const output = forwardOutput(at, value, entry);
      if (!output) continue;
      if (output.owner >= log.partitions('transactions')) stranger('transactions', `partition ${output.owner}`, at, logOffset);
      else if (isCovered(output.owner, output.offset)) {
        if (compare(output, 'transactions', at, logOffset)) inOrder(output, at, logOffset * 2 ** 20 + place);
      }
    }
  }

  function isCovered(owner: number, offset: number): boolean {
    const range = covered.get(owner);
    return range !== undefined && offset >= range.from && offset < range.to;
  }

  function stranger(topic: (typeof outputTopics)[number], id: string, at: number, logOffset: number): void {
    if (isFirstLook) strangers.get(topic)!.differs({ kind: 'phantom', id, at: `${placeOf(topic, at)}@${logOffset}` });
  }

  /** Whether it came for the first time. */
  function compare(output: Output, topic: Topic, at: number, logOffset: number): boolean {
    const { tallies, sureFrom, journal, last } = owners.get(output.owner)!;
    const tally = tallies[output.kind];
    const place = placeOf(topic, at);
    const differs = (kind: 'different' | 'phantom'): void => {
      if (output.offset < sureFrom) tally.incomparable();
      else tally.differs({ kind, id: output.id, at: `${place}@${logOffset}` });
    };
    if (output.offset >= journal.head.from) last.found++;
    switch (ledger.find(output.key, output.digest)) {
      case 'first':
        tally.equal();
        return true;
      case 'again':
        tally.repeated();
        return false;
      case 'other':
        differs('different');
        return false;
      case 'unknown':
        // Above the end it may have come of records that were scored meanwhile.
        if (logOffset < ends.get(place)!) differs('phantom');
        return false;
    }
  }

  /** A receiver drops what is not above the last it had: out of order it would never be taken. */
  function inOrder({ owner, id, sequence, index, offset }: ForwardOutput, receiver: number, at: number): void {
    const name = `${owner}>${receiver}`;
    const before = orders.get(name);
    const isAbove = !before || sequence > before.sequence || (sequence === before.sequence && index > before.index);
    if (isAbove && at > (before?.base ?? -1)) {
      orders.set(name, { sequence, index, at, base: before?.base ?? -1 });
      return;
    }
    const { tallies, sureFrom } = owners.get(owner)!;
    if (offset < sureFrom) tallies.forwards.incomparable();
    else tallies.forwards.differs({ kind: 'different', id: `${id}, behind a later one`, at: `transactions/${receiver}` });
  }
}

async function ownerOf(
  { log, state, firstSet }: VerifyScoringOptions,
  partition: number,
  ends: ReadonlyMap<string, number>,
): Promise<Owner> {
  const { first } = await log.bounds('transactions', partition);
  const journal = (await readJournal(state, partition)) ?? nothingScored;
  const [oldest] = keptEntries(journal);
  const isKnown = oldest.from <= first || oldest.patternSetId === firstSet;
  const place = `transactions/${partition}`;
  return {
    journal,
    tallies: {
      hits: createTally('hits', place),
      'set aside': createTally('set aside', place),
      forwards: createTally('forwards', place),
    },
    // Windows look back further than what is kept once old records have left the log.
    sureFrom: first > 0 ? ends.get(place)! : isKnown ? 0 : oldest.from,
    last: { found: 0 },
  };
}

const nothingScored: JournalView = {
  head: { id: '', previous: null, sequence: 0, from: 0, upTo: 0, patternSetId: '', batch: '', before: null },
  entries: [],
};

function kindOf(topic: (typeof outputTopics)[number]): OutputKind {
  return topic === 'transactions' ? 'forwards' : topic === 'hits' ? 'hits' : 'set aside';
}

function kindOfKey(key: string): OutputKind {
  return key.startsWith('hits/') ? 'hits' : key.startsWith('rejected/') ? 'set aside' : 'forwards';
}

/** See `verify-expected.ts` for how keys are made. */
function idOfKey(key: string): string {
  return key.startsWith('forward/') ? key.slice('forward/'.length) : key.split('/').slice(3, -1).join('/');
}
