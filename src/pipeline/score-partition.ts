import { encodeForward, role, type ForwardEntry } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { partitionOf } from '../domain/partition.js';
import { encodeReference } from '../domain/reference-record.js';
import type { Reference } from '../domain/reference.js';
import { transactionTimeMs } from '../domain/transaction-record.js';
import type { LogBatch, LogRecord, OutgoingRecord, PartitionProcessor } from '../ports/log.js';
import { createBatch } from '../scoring/batch.js';
import type { TransactionView } from '../scoring/transaction-view.js';
import { createFailure } from './failure.js';
import { createHighWater, type HighWater } from './high-water.js';
import { openJournal } from './journal.js';
import { watchOwnership } from './ownership-watch.js';
import { outputRecords, type Quarantined, type RecordOutputs } from './score-outputs.js';
import type { Engine, PatternSetIdentity, ScoreOptions, ScoreSettings } from './score.js';
import { openSnapshots, type Snapshots, type SnapshotSettings } from './snapshots.js';
import type { Turns } from './turns.js';
import { eachBatch, readBetween, type Takers } from './transaction-frames.js';

type Options<Patterns extends PatternSetIdentity> = ScoreOptions<Patterns> & {
  readonly settings: ScoreSettings;
  readonly snapshots?: {
    readonly settings: SnapshotSettings;
    /** This process takes one at a time. */
    readonly turns: Turns;
    /** Until when a partition that is closed in order may take its last one; null where it is taken away. */
    readonly leavingUntilMs: () => number | null;
  };
};

/** Scoring fails on so many records that the fault cannot be theirs. The batch is neither skipped nor quarantined. */
export class ScoringFault extends Error {
  readonly retriable = false;
  constructor(partition: number, count: number, cause: unknown) {
    super(`transactions/${partition}: scoring failed on ${count} records of one batch; the patterns or the engine are at fault`, {
      cause,
    });
    this.name = 'ScoringFault';
  }
}

/** Scoring failed somewhere in a batch of transactions, and on which of them is not known. Never leaves this file. */
class BatchFault extends Error {}

/** What came of one batch. */
interface Outcome {
  readonly outputs: readonly RecordOutputs[];
  /** Debit legs scored, so that over all partitions each transaction is counted once. */
  readonly transactions: number;
  readonly others: Others;
}

/** Entries that are no transactions. */
interface Others {
  references: number;
  /** Forwards that were new here, and those that were had before. */
  received: number;
  dropped: number;
}

/** All that the partition's log so far has made. */
interface Memory<Patterns extends PatternSetIdentity> {
  readonly engine: Engine<Patterns>;
  readonly had: HighWater;
}

type OnFault = (quarantined: () => Quarantined, fault: unknown) => void;

/**
 * Recovers a partition: takes the snapshot that stands, warms the engine up from the log behind it, scores the last journaled
 * batch again, and goes on behind it. Without a snapshot that fits, the whole kept log warms a new engine up.
 */
export async function openScorePartition<Patterns extends PatternSetIdentity>(
  options: Options<Patterns>,
  partition: number,
): Promise<{ processor: PartitionProcessor; engine: () => Engine<Patterns> }> {
  const { log, state, patternStore, clock, newId, settings, telemetry } = options;
  const partitions = log.partitions('transactions');
  const filled = createBatch();
  const journal = await openJournal({ state, log }, partition, newId);
  const last = journal.head;
  let memory = remember(await patternStore.load(last?.patternSetId ?? (await patternStore.currentId())));
  /** Scoring has failed under the set in force: until the next one, one by one, so that it shows on which transaction. */
  let oneByOne = false;
  let position = last?.upTo ?? (await log.bounds('transactions', partition)).first;
  let polledAtMs = -Infinity;
  /** How far the state goes that the last warm-up made. */
  let warmedTo = position;
  /** The state is that of all records before `position`, and what they led to is on the log. */
  let isSettled = true;
  const snapshots = await openOwnSnapshots();
  if (last) await recover(last.from, last.upTo);
  snapshots?.offer();

  async function openOwnSnapshots(): Promise<Snapshots | null> {
    const { engine } = memory;
    if (!options.snapshots || options.snapshots.settings.snapshotEveryMs === 0 || !engine.save || !engine.load) return null;
    return openSnapshots({
      ...options.snapshots,
      state,
      partition,
      partitions,
      newId,
      clock,
      telemetry,
      subject: () => (isSettled ? { ...memory, position, batch: journal.head?.batch ?? '' } : null),
      verifyOwner: () => journal.verify(),
    });
  }

  async function recover(from: number, upTo: number): Promise<void> {
    const startedAtMs = clock.now();
    const transactions = await warmUp(memory.engine.patternSet, from);
    const records: LogRecord[] = [];
    // What a snapshot holds of the batch has left.
    for await (const batch of readBetween(log, 'transactions', partition, Math.max(from, warmedTo), upTo, settings.limit))
      records.push(...batch.records);
    // Whether this batch's hits ever left is not known: they leave again, under the same ids and numbers.
    const outcome = await scoreRecords(records);
    const sent = recordsOf(outcome);
    if (sent.length > 0) await log.append(sent);
    telemetry?.partitionRecovered({
      partition,
      records: upTo,
      transactions: transactions + outcome.transactions,
      durationMs: clock.now() - startedAtMs,
    });
  }

  function owns(key: string): boolean {
    return partitionOf(key, partitions) === partition;
  }

  function remember(set: Patterns): Memory<Patterns> {
    return { engine: options.createEngine(set, { owns }), had: createHighWater() };
  }

  /**
   * A new engine that has taken in everything that is kept before `upTo`, by a snapshot perhaps more: up to what is journaled.
   * Returns how many transactions it read.
   */
  async function warmUp(set: Patterns, upTo: number): Promise<number> {
    const { first } = await log.bounds('transactions', partition);
    return carefully(async () => {
      const restored = await snapshots?.restore({ planId: set.planId, first, upTo: position }, () => remember(set));
      const warmed = restored?.memory ?? remember(set);
      const startedAtMs = clock.now();
      let transactions = 0;
      for await (const { records } of readBetween(
        log,
        'transactions',
        partition,
        restored?.position ?? first,
        upTo,
        settings.limit,
      )) {
        // What fails was quarantined when it was scored.
        transactions += (await takeIn(warmed, records, null, () => undefined)).legs;
        // What it tells was told when it was scored.
        warmed.engine.drainForwards?.();
      }
      memory = warmed;
      warmedTo = Math.max(upTo, restored?.position ?? 0);
      snapshots?.grown(clock.now() - startedAtMs);
      return transactions;
    });
  }

  /** Does it with a new engine; where scoring fails on a batch, once more with another one, one by one. */
  async function carefully<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BatchFault)) throw error;
      oneByOne = true;
      return work();
    }
  }

  /** Everything on the records in its order. `legs` counts entries of transactions. */
  async function takeIn(
    { engine, had }: Memory<Patterns>,
    records: readonly LogRecord[],
    hits: Hit[] | null,
    onFault: OnFault,
    end?: (offset: number) => void,
  ) {
    const others: Others = { references: 0, received: 0, dropped: 0 };
    let legs = 0;
    let debits = 0;
    const takers: Takers = {
      batch: () => {
        legs += filled.count;
        for (let i = 0; i < filled.count; i++) if ((filled.roles[i]! & role.debit) !== 0) debits++;
        scoreFilled(engine, hits, onFault);
      },
      reference: (reference, receivedAtMs) => {
        others.references++;
        const take = (): void => engine.takeReference?.(reference, owns, receivedAtMs, hits);
        attempt(hits, take, () => quarantineReference(reference), onFault);
      },
      forward: (entry, view, receivedAtMs) => {
        if (!had.take(entry.origin)) return void others.dropped++;
        others.received++;
        const take = (): void => engine.takeForward?.(entry.forward, view, receivedAtMs, hits);
        attempt(hits, take, () => quarantineForward(entry, view, receivedAtMs), onFault);
      },
      ...(end ? { end } : {}),
    };
    await eachBatch(records, partition, filled, takers, options.frameViews);
    return { legs, debits, others };
  }

  function scoreFilled(into: Engine<Patterns>, hits: Hit[] | null, onFault: OnFault): void {
    const { views, roles, flags, receivedAtMs, count } = filled;
    if (into.scoreBatch && !oneByOne) {
      try {
        return into.scoreBatch(filled, hits);
      } catch (cause) {
        throw new BatchFault('scoring failed on a batch', { cause });
      }
    }
    for (let i = 0; i < count; i++) {
      const score = (): void => into.score(views[i]!, roles[i]!, flags[i]!, receivedAtMs[i]!, hits);
      attempt(hits, score, () => quarantine(views[i]!), onFault);
    }
  }

  async function process(batch: LogBatch): Promise<void> {
    if (batch.records.length === 0) return;
    const startedAtMs = clock.now();
    isSettled = false;
    await takeCurrentSet();
    const outcome = await scoreRecords(batch.records);
    snapshots?.grown(clock.now() - startedAtMs);
    const entry = { from: position, upTo: batch.next, patternSetId: memory.engine.patternSet.id };
    await journal.append(entry, recordsOf(outcome));
    position = batch.next;
    isSettled = true;
    report(outcome, clock.now() - startedAtMs);
    snapshots?.offer();
  }

  async function scoreRecords(records: readonly LogRecord[]): Promise<Outcome> {
    try {
      return await scoreOnce(records);
    } catch (error) {
      if (!(error instanceof BatchFault)) throw error;
      // Part of the batch is in the state already: from here one by one, on a state without it.
      oneByOne = true;
      await warmUp(memory.engine.patternSet, records[0]?.offset ?? position);
      return scoreOnce(records);
    }
  }

  async function scoreOnce(records: readonly LogRecord[]): Promise<Outcome> {
    const outputs: RecordOutputs[] = [];
    const [hits, quarantined]: [Hit[], Quarantined[]] = [[], []];
    let faults = 0;
    const onFault: OnFault = (faulty, fault) => {
      quarantined.push(faulty());
      if (++faults > settings.quarantinedMax) throw new ScoringFault(partition, faults, fault);
    };
    const { debits, others } = await takeIn(memory, records, hits, onFault, (offset) => {
      const told = memory.engine.drainForwards?.() ?? [];
      if (hits.length + quarantined.length + told.length === 0) return;
      outputs.push({ offset, hits: hits.splice(0), quarantined: quarantined.splice(0), told });
    });
    return { outputs, transactions: debits, others };
  }

  function recordsOf({ outputs }: Outcome): OutgoingRecord[] {
    return outputRecords({
      partition,
      timeMs: clock.now(),
      outputs,
      partitions,
      hitPartitions: log.partitions('hits'),
      rejectedPartitions: log.partitions('rejected'),
    });
  }

  /** A change of patterns is taken between batches only. What cannot be loaded leaves the set in force where it is. */
  async function takeCurrentSet(): Promise<void> {
    const now = clock.now();
    if (now - polledAtMs < settings.pollMs) return;
    polledAtMs = now;
    const id = await patternStore.currentId();
    if (id === memory.engine.patternSet.id) return;
    const set = await loadOrReport(id);
    if (!set) return;
    oneByOne = false;
    if (memory.engine.adopt(set)) {
      telemetry?.patternSetTaken({ partition, patternSet: id, how: 'adopted', durationMs: clock.now() - now });
      return;
    }
    await warmUp(set, position);
    telemetry?.patternSetTaken({ partition, patternSet: id, how: 'rebuilt', durationMs: clock.now() - now });
  }

  async function loadOrReport(id: string): Promise<Patterns | null> {
    try {
      return await patternStore.load(id);
    } catch (error) {
      telemetry?.consumerFailed({ group: 'score', topic: 'transactions', error });
      return null;
    }
  }

  function report({ outputs, transactions, others }: Outcome, durationMs: number): void {
    if (!telemetry) return;
    const hits = outputs.flatMap((one) => one.hits);
    const quarantined = outputs.reduce((sum, one) => sum + one.quarantined.length, 0);
    const sent = outputs.reduce((sum, one) => sum + one.told.length, 0);
    telemetry.batchScored({ partition, transactions, hits: hits.length, durationMs });
    telemetry.othersTaken({ partition, ...others, sent });
    if (quarantined > 0) telemetry.transactionRejected('scoring-fault', quarantined);
    const counts = new Map<string, { pattern: string; severity: string; count: number }>();
    for (const { pattern, severity } of hits) {
      const key = `${pattern}/${severity}`;
      const known = counts.get(key);
      if (known) known.count++;
      else counts.set(key, { pattern, severity, count: 1 });
    }
    for (const { pattern, severity, count } of counts.values()) telemetry.hitFound(pattern, severity, count);
  }

  const { failed, fail } = createFailure();
  const stopWatching = watchOwnership(() => journal.verify(), fail);
  return {
    processor: {
      start: position,
      limit: settings.limit,
      letsGo: true,
      process: (batch) => (snapshots ? snapshots.use(() => process(batch)) : process(batch)),
      failed,
      close: async () => {
        stopWatching();
        await snapshots?.close(options.snapshots?.leavingUntilMs() ?? null);
      },
    },
    engine: () => memory.engine,
  };
}

/** One record at a time: what it hit before it failed does not count. */
function attempt(hits: Hit[] | null, take: () => void, faulty: () => Faulty, onFault: OnFault): void {
  const before = hits?.length ?? 0;
  try {
    take();
  } catch (fault) {
    if (hits) hits.length = before;
    onFault(() => ({ ...faulty(), fault: nameOf(fault) }), fault);
  }
}

function nameOf(fault: unknown): string {
  return fault instanceof Error ? fault.name : 'unknown';
}

type Faulty = Omit<Quarantined, 'fault'>;

function quarantine(view: TransactionView): Faulty {
  return {
    id: view.id,
    bank: view.reporter,
    timeMs: view.timeMs,
    record: view.bytes.slice(view.start, view.end),
  };
}

function quarantineReference(reference: Reference): Faulty {
  const { id, bank = '', time } = reference;
  return { id, bank, timeMs: transactionTimeMs(time), record: encodeReference(reference) };
}

/** The payment that it is about; a notice is about none. */
function quarantineForward({ origin, forward }: ForwardEntry, view: TransactionView | null, receivedAtMs: number): Faulty {
  if (view) return quarantine(view);
  const { from, sequence, index } = origin;
  return { id: `${from}/${sequence}/${index}`, bank: '', timeMs: receivedAtMs, record: encodeForward(origin, forward, null) };
}
