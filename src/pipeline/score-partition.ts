import type { LogBatch, LogRecord, PartitionProcessor } from '../ports/log.js';
import { createFailure } from './failure.js';
import { isFresh } from './fresh.js';
import { openJournal } from './journal.js';
import { watchOwnership } from './ownership-watch.js';
import { BatchFault, type PartitionMemory, type Scored } from './score-memory.js';
import type { PatternSetIdentity, ScoreOptions, ScoreSettings } from './score.js';
import { openSnapshots, type Snapshots, type SnapshotSettings } from './snapshots.js';
import type { Turns } from './turns.js';
import { readBetween } from './transaction-frames.js';

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

/**
 * Recovers a partition: takes the snapshot that stands, warms the engine up from the log behind it, scores the last journaled
 * batch again, and goes on behind it. Without a snapshot that fits, the whole kept log warms a new engine up.
 */
export async function openScorePartition<Patterns extends PatternSetIdentity>(
  options: Options<Patterns>,
  partition: number,
): Promise<{ processor: PartitionProcessor; memory: () => PartitionMemory<Patterns> }> {
  const { log, state, patternStore, clock, newId, settings, telemetry } = options;
  const partitions = log.partitions('transactions');
  const journal = await openJournal({ state, log }, partition, newId);
  const last = journal.head;
  let memory = await remember(await patternStore.load(last?.patternSetId ?? (await patternStore.currentId())));
  /** Scoring has failed under the set in force: until the next one, one by one, so that it shows on which transaction. */
  let oneByOne = false;
  let position = last?.upTo ?? (await log.bounds('transactions', partition)).first;
  let polledAtMs = -Infinity;
  /** How far the state goes that the last warm-up made. */
  let warmedTo = position;
  /** The state is that of all records before `position`, and what they led to is on the log. */
  let isSettled = true;
  const current = { close: () => memory.close() };
  const snapshots = await closedOnFailure(current, openOwnSnapshots);
  if (last) await closedOnFailure(current, () => recover(last.from, last.upTo));
  snapshots?.offer();

  async function openOwnSnapshots(): Promise<Snapshots | null> {
    if (!options.snapshots || options.snapshots.settings.snapshotEveryMs === 0) return null;
    return openSnapshots({
      ...options.snapshots,
      state,
      partition,
      partitions,
      newId,
      clock,
      telemetry,
      subject: () => (isSettled ? { memory, position, batch: journal.head?.batch ?? '' } : null),
      verifyOwner: () => journal.verify(),
    });
  }

  async function recover(from: number, upTo: number): Promise<void> {
    const startedAtMs = clock.now();
    const transactions = await warmUp(memory.patternSet, from);
    const records: LogRecord[] = [];
    // What a snapshot holds of the batch has left.
    for await (const batch of readBetween(log, 'transactions', partition, Math.max(from, warmedTo), upTo, settings.limit))
      records.push(...batch.records);
    // Whether this batch's hits ever left is not known: they leave again, under the same ids and numbers.
    const scored = await scoreRecords(records);
    if (scored.outputs.length > 0) await log.append(scored.outputs);
    telemetry?.partitionRecovered({
      partition,
      records: upTo,
      transactions: transactions + scored.transactions,
      durationMs: clock.now() - startedAtMs,
    });
  }

  function remember(set: Patterns): Promise<PartitionMemory<Patterns>> {
    return options.openMemory(set, {
      partition,
      partitions,
      hitPartitions: log.partitions('hits'),
      rejectedPartitions: log.partitions('rejected'),
      quarantinedMax: settings.quarantinedMax,
    });
  }

  function replace(by: PartitionMemory<Patterns>): void {
    memory.close();
    memory = by;
  }

  /**
   * A new engine that has taken in everything that is kept before `upTo`, by a snapshot perhaps more: up to what is journaled.
   * Returns how many transactions it read.
   */
  async function warmUp(set: Patterns, upTo: number): Promise<number> {
    const { first } = await log.bounds('transactions', partition);
    return carefully(async () => {
      const restored = await snapshots?.restore({ planId: set.planId, first, upTo: position }, () => remember(set));
      const warmed = restored?.memory ?? (await remember(set));
      const startedAtMs = clock.now();
      const transactions = await closedOnFailure(warmed, () => warm(warmed, restored?.position ?? first, upTo));
      replace(warmed);
      warmedTo = Math.max(upTo, restored?.position ?? 0);
      snapshots?.grown(clock.now() - startedAtMs);
      return transactions;
    });
  }

  async function warm(one: PartitionMemory<Patterns>, from: number, upTo: number): Promise<number> {
    let transactions = 0;
    for await (const { records } of readBetween(log, 'transactions', partition, from, upTo, settings.limit))
      transactions += await one.warm(records, { oneByOne });
    return transactions;
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

  async function process(batch: LogBatch): Promise<void> {
    if (batch.records.length === 0) return;
    const startedAtMs = clock.now();
    isSettled = false;
    await takeCurrentSet();
    const scored = await scoreRecords(batch.records);
    snapshots?.grown(clock.now() - startedAtMs);
    const entry = { from: position, upTo: batch.next, patternSetId: memory.patternSet.id };
    await journal.append(entry, scored.outputs);
    position = batch.next;
    isSettled = true;
    report(scored, clock.now() - startedAtMs);
    snapshots?.offer();
  }

  async function scoreRecords(records: readonly LogRecord[]): Promise<Scored> {
    try {
      return await memory.score(records, { oneByOne });
    } catch (error) {
      if (!(error instanceof BatchFault)) throw error;
      // Part of the batch is in the state already: from here one by one, on a state without it.
      oneByOne = true;
      await warmUp(memory.patternSet, records[0]?.offset ?? position);
      return memory.score(records, { oneByOne });
    }
  }

  /** A change of patterns is taken between batches only. What cannot be loaded leaves the set in force where it is. */
  async function takeCurrentSet(): Promise<void> {
    const now = clock.now();
    if (isFresh(now, polledAtMs, settings.pollMs)) return;
    polledAtMs = now;
    const id = await patternStore.currentId();
    if (id === memory.patternSet.id) {
      telemetry?.patternSetWaits(partition, null);
      return;
    }
    const set = await loadOrReport(id);
    if (!set) return;
    oneByOne = false;
    if (await memory.adopt(set)) {
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
      telemetry?.patternSetWaits(partition, { patternSet: id, inForce: memory.patternSet.id, error });
      return null;
    }
  }

  function report({ transactions, others, quarantined, hits }: Scored, durationMs: number): void {
    if (!telemetry) return;
    const found = hits.reduce((sum, { count }) => sum + count, 0);
    telemetry.batchScored({ partition, transactions, hits: found, durationMs });
    telemetry.othersTaken({ partition, ...others });
    if (quarantined > 0) telemetry.transactionRejected('scoring-fault', quarantined);
    for (const { pattern, severity, count } of hits) telemetry.hitFound(pattern, severity, count);
  }

  const { failed, fail } = createFailure();
  const stopWatching = watchOwnership(async () => {
    await journal.verify();
    // One that falls due while nothing comes in.
    snapshots?.offer();
  }, fail);
  return {
    processor: {
      start: position,
      limit: settings.limit,
      letsGo: true,
      process: (batch) => (snapshots ? snapshots.use(() => process(batch)) : process(batch)),
      failed,
      close: async () => {
        stopWatching();
        telemetry?.patternSetWaits(partition, null);
        await snapshots?.close(options.snapshots?.leavingUntilMs() ?? null);
        memory.close();
      },
    },
    memory: () => memory,
  };
}

/** A partition that is given up leaves nothing behind, wherever its memory is. */
async function closedOnFailure<T>(memory: Pick<PartitionMemory, 'close'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    memory.close();
    throw error;
  }
}
