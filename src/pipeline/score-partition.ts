import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import type { LogBatch, LogRecord, OutgoingRecord, PartitionProcessor } from '../ports/log.js';
import { TransactionView } from '../scoring/transaction-view.js';
import { openJournal } from './journal.js';
import { outputRecords, type Quarantined } from './score-outputs.js';
import type { Engine, PatternSetIdentity, ScoreOptions, ScoreSettings } from './score.js';
import { eachTransaction, readBetween } from './transaction-frames.js';

type Options<Patterns extends PatternSetIdentity> = ScoreOptions<Patterns> & { readonly settings: ScoreSettings };

/** Scoring fails on so many transactions that the fault cannot be theirs. The batch is neither skipped nor quarantined. */
export class ScoringFault extends Error {
  readonly retriable = false;
  constructor(partition: number, count: number, cause: unknown) {
    super(
      `transactions/${partition}: scoring failed on ${count} transactions of one batch; the patterns or the engine are at fault`,
      {
        cause,
      },
    );
    this.name = 'ScoringFault';
  }
}

/** What came of one batch. */
interface Outcome {
  readonly hits: Hit[];
  readonly quarantined: Quarantined[];
  /** Debit legs scored, so that over all partitions each transaction is counted once. */
  readonly transactions: number;
}

/** Recovers a partition: warms a new engine up from its log, scores the last journaled batch again, and goes on behind it. */
export async function openScorePartition<Patterns extends PatternSetIdentity>(
  options: Options<Patterns>,
  partition: number,
): Promise<{ processor: PartitionProcessor; engine: () => Engine<Patterns> }> {
  const { log, state, patternStore, createEngine, clock, newId, settings, telemetry } = options;
  const view = new TransactionView();
  const journal = await openJournal(state, partition, newId);
  const last = journal.head;
  let engine = createEngine(await patternStore.load(last?.patternSetId ?? (await patternStore.currentId())));
  let position = last?.upTo ?? (await log.bounds('transactions', partition)).first;
  let polledAtMs = -Infinity;
  if (last) await recover(last.from, last.upTo, last.sequence);

  async function recover(from: number, upTo: number, sequence: number): Promise<void> {
    const startedAtMs = clock.now();
    const transactions = await warmUp(engine, from);
    const records: LogRecord[] = [];
    for await (const batch of readBetween(log, 'transactions', partition, from, upTo, settings.limit))
      records.push(...batch.records);
    // Whether this batch's hits ever left is not known: they leave again, under the same ids and the same sequence.
    const outcome = await scoreRecords(records);
    await send(sequence, outcome);
    telemetry?.partitionRecovered({
      partition,
      records: upTo,
      transactions: transactions + outcome.transactions,
      durationMs: clock.now() - startedAtMs,
    });
  }

  /** Takes everything that is kept before `upTo` into the engine. Returns how many transactions that was. */
  async function warmUp(into: Engine<Patterns>, upTo: number): Promise<number> {
    const { first } = await log.bounds('transactions', partition);
    let transactions = 0;
    for await (const batch of readBetween(log, 'transactions', partition, first, upTo, settings.limit)) {
      await eachTransaction(batch.records, partition, view, (roles, flags, receivedAtMs) => {
        transactions++;
        try {
          into.score(view, roles, flags, receivedAtMs, null);
        } catch {
          // It was quarantined when it was scored.
        }
      });
    }
    return transactions;
  }

  async function process(batch: LogBatch): Promise<void> {
    if (batch.records.length === 0) return;
    const startedAtMs = clock.now();
    await takeCurrentSet();
    const outcome = await scoreRecords(batch.records);
    const entry = await journal.append({ from: position, upTo: batch.next, patternSetId: engine.patternSet.id });
    position = batch.next;
    await send(entry.sequence, outcome);
    report(outcome, clock.now() - startedAtMs);
  }

  async function scoreRecords(records: readonly LogRecord[]): Promise<Outcome> {
    const hits: Hit[] = [];
    const quarantined: Quarantined[] = [];
    let transactions = 0;
    await eachTransaction(records, partition, view, (roles, flags, receivedAtMs) => {
      if ((roles & role.debit) !== 0) transactions++;
      const before = hits.length;
      try {
        engine.score(view, roles, flags, receivedAtMs, hits);
      } catch (error) {
        hits.length = before;
        quarantined.push(quarantine(view, error));
        if (quarantined.length > settings.quarantinedMax) throw new ScoringFault(partition, quarantined.length, error);
      }
    });
    return { hits, quarantined, transactions };
  }

  async function send(sequence: number, outcome: Outcome): Promise<void> {
    const records: OutgoingRecord[] = outputRecords({
      partition,
      sequence,
      ...outcome,
      hitPartitions: log.partitions('hits'),
      rejectedPartitions: log.partitions('rejected'),
    });
    if (records.length > 0) await log.append(records);
  }

  /** A change of patterns is taken between batches only. What cannot be loaded leaves the set in force where it is. */
  async function takeCurrentSet(): Promise<void> {
    const now = clock.now();
    if (now - polledAtMs < settings.pollMs) return;
    polledAtMs = now;
    const id = await patternStore.currentId();
    if (id === engine.patternSet.id) return;
    const set = await loadOrReport(id);
    if (!set) return;
    if (engine.adopt(set)) {
      telemetry?.patternSetTaken({ partition, patternSet: id, how: 'adopted', durationMs: clock.now() - now });
      return;
    }
    const rebuilt = createEngine(set);
    await warmUp(rebuilt, position);
    engine = rebuilt;
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

  function report({ hits, quarantined, transactions }: Outcome, durationMs: number): void {
    if (!telemetry) return;
    telemetry.batchScored({ partition, transactions, hits: hits.length, durationMs });
    if (quarantined.length > 0) telemetry.transactionRejected('scoring-fault', quarantined.length);
    const counts = new Map<string, { pattern: string; severity: string; count: number }>();
    for (const { pattern, severity } of hits) {
      const key = `${pattern}/${severity}`;
      const known = counts.get(key);
      if (known) known.count++;
      else counts.set(key, { pattern, severity, count: 1 });
    }
    for (const { pattern, severity, count } of counts.values()) telemetry.hitFound(pattern, severity, count);
  }

  return {
    processor: { start: position, limit: settings.limit, process, close: async () => undefined },
    engine: () => engine,
  };
}

function quarantine(view: TransactionView, error: unknown): Quarantined {
  return {
    id: view.id,
    bank: view.text(view.bankStart, view.bankEnd) || view.text(view.payer.bankStart, view.payer.bankEnd),
    timeMs: view.timeMs,
    record: view.bytes.slice(view.start, view.end),
    fault: error instanceof Error ? error.name : 'unknown',
  };
}
