import { pino, type DestinationStream } from 'pino';
import { Registry } from 'prom-client';
import { logDestination } from './log-destination.js';
import { createMetrics } from './metrics.js';
import { createRecentSamples } from './recent-samples.js';
import { describeFault, scrub } from './scrub.js';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface TelemetryOptions {
  readonly level: LogLevel;
  /** Where log lines go, one JSON object a line; the standard error stream where it is left out. */
  readonly destination?: DestinationStream;
  readonly registry?: Registry;
  readonly now: () => number;
  /** How many of the latest warnings the exact percentiles look at. */
  readonly latencySamplesMax?: number;
}

export type Telemetry = ReturnType<typeof createTelemetry>;

/** At most this many log lines a second of one kind of high-rate fact; what is left out is counted on the next line. */
const linesPerSecondMax = 20;
/** Banks with a metric of their own; the rest are counted together, so that a flood of names cannot fill the memory. */
const banksMax = 200;
/** What a log tells of that is no trouble: it is well again, or has cleared up after a process that is gone. */
const logMended: ReadonlySet<string> = new Set(['membershipRegained', 'memberDismissed']);

/**
 * One function per fact: what is logged and what is counted are said in one place and cannot drift apart.
 * No fact takes an account number; texts from elsewhere are scrubbed.
 */
export function createTelemetry(options: TelemetryOptions) {
  const registry = options.registry ?? new Registry();
  const metrics = createMetrics(registry);
  const log = pino(
    { level: options.level, base: null, timestamp: isoTime(options.now) },
    options.destination ?? logDestination(2, () => metrics.logLinesLost.inc()),
  );
  const latencies = createRecentSamples(options.latencySamplesMax ?? 10_000);
  const sampled = createSampler(options.now);
  const bankLabel = createBoundedLabel(banksMax);
  const totals = { accepted: 0, duplicates: 0, scored: 0 };
  const failingSlices = new Set<string>();
  const restingEndpoints = new Set<string>();
  const stateAway = new Set<string>();
  /** By partition. */
  const setsWaiting = new Map<number, string>();
  const setsSaid = new Set<string>();

  return {
    // Life of the process
    started(fact: {
      version: string;
      address: string;
      dataDirectory: string;
      parts: readonly string[];
      roles: readonly string[];
    }) {
      log.info(fact, 'started');
    },
    stopping(reason: string) {
      log.info({ reason }, 'stopping');
    },
    requestFailed(fact: { method: string; route: string; error: unknown }) {
      log.error(
        { method: fact.method, route: fact.route, fault: describeFault(fact.error) },
        'a request failed by a fault of ours',
      );
    },

    // Intake
    transactionsAccepted(count: number, bank: string | undefined) {
      totals.accepted += count;
      metrics.accepted.inc({ bank: bankLabel(bank ?? 'unknown') }, count);
    },
    transactionsDuplicate(count: number) {
      totals.duplicates += count;
      metrics.duplicates.inc(count);
    },
    referencesAccepted(count: number) {
      metrics.references.inc(count);
    },
    referencesDuplicate(count: number) {
      metrics.referenceDuplicates.inc(count);
    },
    transactionRejected(reason: string, count = 1) {
      metrics.rejected.inc({ reason }, count);
      sampled(`rejected/${reason}`, (suppressed) => log.debug({ reason, count, suppressed }, 'transaction rejected'));
    },
    bodyAnswered(fact: { lines: number; bytes: number; durationMs: number }) {
      metrics.intakeBytes.inc(fact.bytes);
      metrics.intakeSeconds.observe(fact.durationMs / 1000);
    },
    intakeWaited(durationMs: number) {
      metrics.intakeWaited.inc(durationMs / 1000);
    },
    intakeBusy(reason: string) {
      metrics.intakeBusy.inc();
      sampled('intake-busy', (suppressed) => log.warn({ reason, suppressed }, 'a body was turned away, too much is in hand'));
    },

    // Score
    /** `transactions` counts those whose debit leg was scored here, so that each is counted once. */
    batchScored(fact: { partition: number; transactions: number; hits: number; durationMs: number }) {
      totals.scored += fact.transactions;
      metrics.scored.inc({ partition: String(fact.partition) }, fact.transactions);
      metrics.scoreSeconds.observe(fact.durationMs / 1000);
    },
    /** What a scored batch held besides transactions, and what it told other partitions. */
    othersTaken(fact: { partition: number; references: number; received: number; dropped: number; sent: number }) {
      const partition = String(fact.partition);
      if (fact.references > 0) metrics.referencesTaken.inc({ partition }, fact.references);
      if (fact.received > 0) metrics.forwards.inc({ partition, way: 'received' }, fact.received);
      if (fact.dropped > 0) metrics.forwards.inc({ partition, way: 'dropped' }, fact.dropped);
      if (fact.sent > 0) metrics.forwards.inc({ partition, way: 'sent' }, fact.sent);
    },
    hitFound(pattern: string, severity: string, count = 1) {
      metrics.hits.inc({ pattern, severity }, count);
    },
    patternSetTaken(fact: { partition: number; patternSet: string; how: 'adopted' | 'rebuilt'; durationMs: number }) {
      setsWaiting.delete(fact.partition);
      metrics.patternSetUnloadable.set(Math.min(setsWaiting.size, 1));
      metrics.patternSets.inc({ how: fact.how });
      log.info(fact, 'a pattern set is in force');
    },
    /** A set that was decided on and cannot be loaded here, said once for each set; null: the partition waits for none (any more). */
    patternSetWaits(partition: number, fact: { patternSet: string; inForce: string; error: unknown } | null) {
      if (fact) setsWaiting.set(partition, fact.patternSet);
      else setsWaiting.delete(partition);
      metrics.patternSetUnloadable.set(Math.min(setsWaiting.size, 1));
      if (!fact || setsSaid.has(fact.patternSet)) return;
      setsSaid.add(fact.patternSet);
      const { error, ...rest } = fact;
      log.error({ ...rest, fault: describeFault(error) }, 'a pattern set cannot be loaded here, the one in force stays');
    },
    /** What the versions that are scored have done since the process started. */
    patternsCounted(fact: {
      scored: number;
      /** That the guard took out of force, and nobody has decided on since. */
      undecided: number;
      patterns: readonly {
        pattern: string;
        version: number;
        state: string;
        hits: number;
        faults: number;
        seconds: number | null;
      }[];
    }) {
      const gauges = [metrics.patternHits, metrics.patternHitRate, metrics.patternSeconds, metrics.patternFaults];
      for (const one of gauges) one.reset();
      metrics.patternScored.set(fact.scored);
      metrics.patternsUndecided.set(fact.undecided);
      for (const { pattern, version, state, hits, faults, seconds } of fact.patterns) {
        const labels = { pattern, version: String(version), state };
        metrics.patternHits.set(labels, hits);
        metrics.patternFaults.set(labels, faults);
        if (fact.scored > 0) metrics.patternHitRate.set(labels, (hits / fact.scored) * 1_000);
        if (seconds !== null) metrics.patternSeconds.set(labels, seconds);
      }
    },
    patternTakenBack(fact: { pattern: string; version: number; to: 'shadow' | 'draft'; reason: string }) {
      metrics.patternsTakenBack.inc({ pattern: fact.pattern, to: fact.to });
      log.warn(fact, 'the guard took a pattern out of force');
    },
    /** `isOverdue`: the next year should be known by now. */
    calendarRead(fact: { endMs: number; lastDay: string; isOverdue: boolean }) {
      metrics.calendarEnd.set(fact.endMs / 1000);
      if (!fact.isOverdue) return;
      const { lastDay } = fact;
      log.warn({ lastDay }, 'the working-day calendar ends: add the next year to config/catalogue/calendar.yaml');
    },
    patternGuardFailed(error: unknown) {
      log.error({ fault: describeFault(error) }, 'the guard of the patterns failed; it looks again');
    },
    partitionRecovered(fact: { partition: number; records: number; transactions: number; durationMs: number }) {
      metrics.recoverySeconds.set({ partition: String(fact.partition) }, fact.durationMs / 1000);
      log.info(fact, 'partition ready again');
    },
    /** `copyMs`: so long the partition stood still. */
    snapshotTaken(fact: {
      partition: number;
      position: number;
      bytes: number;
      storedBytes: number;
      copyMs: number;
      durationMs: number;
      takenAtMs: number;
    }) {
      const { takenAtMs, ...line } = fact;
      const partition = String(fact.partition);
      metrics.snapshots.inc({ how: 'taken' });
      metrics.snapshotBytes.set({ partition }, fact.storedBytes);
      metrics.snapshotSeconds.set({ partition }, fact.durationMs / 1000);
      metrics.snapshotTime.set({ partition }, takenAtMs / 1000);
      log.info(line, 'a snapshot was taken');
    },
    snapshotRestored(fact: { partition: number; position: number; bytes: number; durationMs: number; takenAtMs: number }) {
      const { takenAtMs, ...line } = fact;
      metrics.snapshots.inc({ how: 'restored' });
      metrics.snapshotTime.set({ partition: String(fact.partition) }, takenAtMs / 1000);
      log.info({ ...line, takenAt: new Date(takenAtMs).toISOString() }, 'a snapshot was restored');
    },
    snapshotUnusable(fact: { partition: number; reason: string }) {
      metrics.snapshots.inc({ how: 'unusable' });
      log.warn(fact, 'a snapshot cannot be used, the log is read again instead');
    },
    snapshotFailed(fact: { partition: number; error: unknown }) {
      metrics.snapshots.inc({ how: 'failed' });
      sampled('snapshot-failed', (suppressed) =>
        log.warn(
          { partition: fact.partition, fault: describeFault(fact.error), suppressed },
          'a snapshot could not be stored; the one before still counts',
        ),
      );
    },

    // Warn
    /** `latencyMs`: from intake of the transaction to the warning. */
    warningRaised(fact: { level: string; family: string; latencyMs: number }) {
      metrics.warnings.inc({ level: fact.level, family: fact.family });
      metrics.warningSeconds.observe(Math.max(fact.latencyMs, 0) / 1000);
      latencies.add(Math.max(fact.latencyMs, 0));
      sampled(`warning/${fact.level}`, (suppressed) => log.debug({ ...fact, suppressed }, 'warning raised'));
    },
    warningUpdated(fact: { level: string; family: string; latencyMs?: number }) {
      metrics.warningRevisions.inc({ level: fact.level, family: fact.family });
      if (fact.latencyMs !== undefined) {
        metrics.warningSeconds.observe(Math.max(fact.latencyMs, 0) / 1000);
        latencies.add(Math.max(fact.latencyMs, 0));
      }
    },
    /** What somebody said about a warning had no effect. */
    warningCommandUnread(fact: { partition: number; type: string; warning: string; field: string }) {
      metrics.warningCommandsUnread.inc();
      sampled('warning-command-unread', (suppressed) =>
        log.error({ ...fact, suppressed }, 'what was said about a warning has a shape that is not known here, it has no effect'),
      );
    },

    // Dispatch
    deliveryPlanned(fact: { channel: string; level: string }) {
      metrics.planned.inc(fact);
    },
    warningUnrouted(fact: { level: string; warning: string }) {
      metrics.unrouted.inc({ level: fact.level });
      sampled('unrouted', (suppressed) => log.debug({ ...fact, suppressed }, 'no recipient is registered for a warning'));
    },
    deliveryAttempted(fact: {
      delivery: string;
      recipient: string;
      channel: string;
      level: string;
      attempt: number;
      outcome: string;
      reason?: string;
      latencyMs: number;
    }) {
      metrics.attempts.inc({ channel: fact.channel, outcome: fact.outcome });
      metrics.attemptSeconds.observe({ channel: fact.channel }, fact.latencyMs / 1000);
      const line = fact.reason === undefined ? fact : { ...fact, reason: scrub(fact.reason) };
      const lost = fact.outcome === 'exhausted' || fact.outcome === 'refused';
      sampled(`delivery/${fact.outcome}`, (suppressed) =>
        lost ? log.warn({ ...line, suppressed }, 'delivery given up') : log.debug({ ...line, suppressed }, 'delivery attempted'),
      );
    },
    deliveriesPending(partition: number, count: number) {
      metrics.pending.set({ partition: String(partition) }, count);
    },
    endpointRests(recipient: string, untilMs: number) {
      restingEndpoints.add(recipient);
      metrics.endpointsOpen.set(restingEndpoints.size);
      log.warn(
        { recipient, until: new Date(untilMs).toISOString() },
        'an endpoint fails again and again, it rests before the next try',
      );
    },
    endpointRecovered(recipient: string) {
      if (!restingEndpoints.delete(recipient)) return;
      metrics.endpointsOpen.set(restingEndpoints.size);
      log.info({ recipient }, 'an endpoint answers again');
    },
    /** Its recipient was removed, or another process tells it: whether it answers is not known here any more. */
    endpointForgotten(recipient: string) {
      if (restingEndpoints.delete(recipient)) metrics.endpointsOpen.set(restingEndpoints.size);
    },

    // Archive
    sliceArchived(fact: { topic: string; partition: number; table: string; rows: number; bytes: number; durationMs: number }) {
      metrics.archivedRows.inc({ table: fact.table }, fact.rows);
      metrics.archiveSeconds.observe({ table: fact.table }, fact.durationMs / 1000);
      if (failingSlices.delete(`${fact.topic}/${fact.partition}`)) {
        metrics.archiveFailing.set(failingSlices.size);
        log.info({ topic: fact.topic, partition: fact.partition }, 'the warehouse takes rows again');
      }
    },
    /** Another process archives it, or none: whether it fails is not known here any more. */
    archiveLeft(fact: { topic: string; partition: number }) {
      if (failingSlices.delete(`${fact.topic}/${fact.partition}`)) metrics.archiveFailing.set(failingSlices.size);
    },
    /** The warehouse refuses it for good; it is kept apart. */
    rowQuarantined(fact: { topic: string; partition: number; table: string; code: string }) {
      metrics.archiveQuarantined.inc({ table: fact.table });
      sampled('row-quarantined', (suppressed) =>
        log.error({ ...fact, suppressed }, 'the warehouse refuses a row, it is kept in the table quarantined'),
      );
    },
    archiveRetried(fact: { topic: string; partition: number; table: string; attempt: number; delayMs: number; error: unknown }) {
      metrics.archiveRetries.inc({ table: fact.table });
      failingSlices.add(`${fact.topic}/${fact.partition}`);
      metrics.archiveFailing.set(failingSlices.size);
      const { error, ...rest } = fact;
      sampled('archive-retried', (suppressed) =>
        log.warn({ ...rest, fault: describeFault(error), suppressed }, 'the warehouse did not take a slice, it is tried again'),
      );
    },

    warehouseAbsent(error: unknown) {
      log.warn({ fault: describeFault(error) }, 'the warehouse cannot be reached, the start goes on without it');
    },

    readingThreadLost(error: unknown) {
      log.warn({ fault: describeFault(error) }, 'a thread that reads bodies has ended; until the next start this one reads them');
    },

    // Consumers
    consumerStarted(fact: { group: string; topic: string; partition: number; from: number | 'earliest' }) {
      log.debug(fact, 'consumer owns a partition');
    },
    consumerFailed(fact: { group: string; topic: string; error: unknown }) {
      metrics.consumerFaults.inc({ group: fact.group, topic: fact.topic });
      log.error({ group: fact.group, topic: fact.topic, fault: describeFault(fact.error) }, 'a consumer has stopped');
    },
    /** It is opened anew after a pause; the rest of the consumer goes on. */
    partitionClosed(fact: { group: string; topic: string; partition: number; error: unknown }) {
      const { error, ...rest } = fact;
      metrics.partitionsClosed.inc({ group: fact.group, topic: fact.topic });
      sampled('partition-closed', (suppressed) =>
        log.warn({ ...rest, fault: describeFault(error), suppressed }, 'a partition was closed by a fault, it is opened anew'),
      );
    },
    /** Its connections are lost, refused or back; `fatal`: nothing can go on. */
    stateTroubled(fact: { kind: string; server: string; error?: Error }) {
      metrics.stateTroubles.inc({ kind: fact.kind });
      if (fact.kind === 'recovered') stateAway.delete(fact.server);
      else stateAway.add(fact.server);
      const line = { kind: fact.kind, server: fact.server, ...(fact.error ? { fault: describeFault(fact.error) } : {}) };
      if (fact.kind === 'recovered') log.info(line, 'the state store answers again');
      else log.warn(line, 'the state store is in trouble');
    },
    logTroubled(fact: { kind: string; detail: string }) {
      if (logMended.has(fact.kind)) {
        sampled(`log/${fact.kind}`, (suppressed) => log.info({ ...fact, suppressed }, 'the log goes on'));
        return;
      }
      metrics.logTroubles.inc({ kind: fact.kind });
      sampled(`log/${fact.kind}`, (suppressed) => log.warn({ ...fact, suppressed }, 'the log is in trouble'));
    },
    /** `records` null: not known just now. */
    consumerLag({ group, topic, records }: { group: string; topic: string; records: number | null }) {
      if (records === null) metrics.lag.remove({ group, topic });
      else metrics.lag.set({ group, topic }, records);
    },

    retentionFailed(error: unknown) {
      log.error({ fault: describeFault(error) }, 'old records could not be removed; it is tried again');
    },

    // Who may and who is told
    recipientChanged(fact: { recipient: string; kind: string; how: 'registered' | 'changed' | 'removed' }) {
      log.info(fact, 'recipient changed');
    },
    keyMade(fact: { name: string; role: string }) {
      log.info(fact, 'a key was made');
    },

    // What is read back
    /** Since this process started; what was counted before is in the warehouse. */
    totals: () => ({ ...totals }),
    /** From intake to warning over the latest warnings, exact. */
    warningLatency: () => ({ count: latencies.count, p50Ms: latencies.percentile(0.5), p99Ms: latencies.percentile(0.99) }),
    failingSlices: () => [...failingSlices],
    /** Pattern sets that were decided on and cannot be loaded here. */
    setsUnloadable: () => [...new Set(setsWaiting.values())],
    /** Servers of the state store that are in trouble. */
    stateAway: () => [...stateAway],
    /** Prometheus text format 0.0.4. */
    metrics: () => registry.metrics(),
  };
}

function isoTime(now: () => number): () => string {
  return () => `,"time":"${new Date(now()).toISOString()}"`;
}

function createSampler(now: () => number) {
  const kinds = new Map<string, { second: number; lines: number; suppressed: number }>();
  return (kind: string, write: (suppressed: number | undefined) => void) => {
    const second = Math.floor(now() / 1000);
    const entry = kinds.get(kind) ?? { second, lines: 0, suppressed: 0 };
    if (!kinds.has(kind)) kinds.set(kind, entry);
    if (entry.second !== second) {
      entry.second = second;
      entry.lines = 0;
    }
    if (entry.lines >= linesPerSecondMax) {
      entry.suppressed++;
      return;
    }
    entry.lines++;
    write(entry.suppressed > 0 ? entry.suppressed : undefined);
    entry.suppressed = 0;
  };
}

function createBoundedLabel(labelsMax: number) {
  const seen = new Set<string>();
  return (label: string) => {
    if (seen.has(label)) return label;
    if (seen.size >= labelsMax) return 'other';
    seen.add(label);
    return label;
  };
}
