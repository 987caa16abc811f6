import { Counter, Gauge, Histogram, collectDefaultMetrics, type Registry } from 'prom-client';
import { channelNames, deliveryOutcomes } from '../domain/delivery.js';
import { rejectReasons } from '../domain/transaction-record.js';
import { levels } from '../domain/warning.js';
import { archivedTopics } from '../ports/log.js';
import { warehouseTables } from '../ports/warehouse-rows.js';

/** Who reads what. */
const consumers = [
  ['incoming', 'incoming'],
  ['score', 'transactions'],
  ['warn', 'hits'],
  ['dispatch', 'warnings'],
  ...archivedTopics.map((topic) => ['archive', topic] as const),
] as const;

/** Every metric of the platform, in flow order. Durations are seconds, as Prometheus wants them. */
export function createMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name: `huqi_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name: `huqi_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: readonly L[] = []) =>
    new Histogram<L>({ name: `huqi_${name}`, help, buckets, labelNames, registers });

  collectDefaultMetrics({ register: registry, prefix: 'huqi_' });
  const fast = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
  const slow = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
  const metrics = {
    accepted: counter('transactions_accepted_total', 'Transactions accepted, durable on the log', ['bank']),
    duplicates: counter('transactions_duplicate_total', 'Transactions that were sent again and not counted twice'),
    references: counter('references_accepted_total', 'Reference records accepted, durable on the log'),
    referenceDuplicates: counter('references_duplicate_total', 'Reference records that were sent again and not taken twice'),
    rejected: counter('transactions_rejected_total', 'Records refused by intake or scoring', ['reason']),
    intakeBytes: counter('intake_bytes_total', 'Bytes of records that intake has judged'),
    intakeSeconds: histogram('intake_body_seconds', 'From a body in hand to its durable answer', fast),
    intakeWaited: counter('intake_waited_seconds_total', 'Time that bodies waited for scoring to come nearer'),
    intakeBusy: counter('intake_busy_total', 'Bodies turned away because too much was in hand'),
    scored: counter('transactions_scored_total', 'Transactions scored', ['partition']),
    referencesTaken: counter('references_taken_total', 'Reference records taken into scoring', ['partition']),
    forwards: counter(
      'forwards_total',
      'What partitions of scoring told one another: sent, received, received again and dropped',
      ['partition', 'way'],
    ),
    scoreSeconds: histogram('score_batch_seconds', 'Scoring of one batch, journal included', fast),
    hits: counter('hits_total', 'Hits by pattern', ['pattern', 'severity']),
    patternSets: counter('pattern_set_changes_total', 'Pattern sets taken into force, by whether the state was kept', ['how']),
    patternSetUnloadable: gauge(
      'pattern_set_unloadable',
      '1 while a pattern set that was decided on cannot be loaded here, else 0',
    ),
    patternScored: gauge('pattern_scored_transactions', 'Transactions scored since the process started, for rates'),
    patternHits: gauge('pattern_hits', 'Hits of a version since the process started', ['pattern', 'version', 'state']),
    patternHitRate: gauge('pattern_hits_per_1000', 'Hits per 1,000 scored transactions', ['pattern', 'version', 'state']),
    patternSeconds: gauge('pattern_ask_seconds', 'Time that asking its condition took', ['pattern', 'version', 'state']),
    patternFaults: gauge('pattern_faults', 'Legs on which its condition failed', ['pattern', 'version', 'state']),
    patternsTakenBack: counter('patterns_taken_back_total', 'Patterns that the guard took out of force', ['pattern', 'to']),
    calendarEnd: gauge('calendar_end_timestamp_seconds', 'When the last year ends whose holidays and make-up days are known'),
    patternsUndecided: gauge('patterns_undecided', 'Patterns that the guard took out of force and nobody has decided on'),
    recoverySeconds: gauge('recovery_seconds', 'How long the partition took to be ready again', ['partition']),
    snapshots: counter('snapshots_total', 'Snapshots of partitions by what became of them', ['how']),
    snapshotBytes: gauge('snapshot_bytes', 'Bytes of the latest snapshot as it is stored', ['partition']),
    snapshotSeconds: gauge('snapshot_seconds', 'How long taking the latest snapshot took', ['partition']),
    snapshotTime: gauge('snapshot_timestamp_seconds', 'When the latest snapshot was taken', ['partition']),
    warnings: counter('warnings_raised_total', 'Warnings raised', ['level', 'family']),
    warningRevisions: counter('warnings_updated_total', 'Later revisions of warnings', ['level', 'family']),
    warningSeconds: histogram('warning_latency_seconds', 'From intake of the transaction to its warning', fast),
    warningCommandsUnread: counter(
      'warning_commands_unread_total',
      'Words about warnings that could not be read, without effect',
    ),
    planned: counter('deliveries_planned_total', 'Deliveries planned', ['channel', 'level']),
    unrouted: counter('warnings_unrouted_total', 'Warnings that no recipient is registered for', ['level']),
    attempts: counter('delivery_attempts_total', 'Attempts to deliver by outcome', ['channel', 'outcome']),
    attemptSeconds: histogram('delivery_attempt_seconds', 'One attempt to deliver', slow, ['channel']),
    pending: gauge('deliveries_pending', 'Deliveries planned and not yet settled', ['partition']),
    endpointsOpen: gauge('delivery_endpoints_resting', 'Endpoints that rest after repeated failures'),
    archivedRows: counter('archive_rows_total', 'Rows stored in the warehouse', ['table']),
    archiveSeconds: histogram('archive_slice_seconds', 'Storing one slice', slow, ['table']),
    archiveRetries: counter('archive_retries_total', 'Slices that had to be tried again', ['table']),
    archiveQuarantined: counter('archive_rows_quarantined_total', 'Rows that the warehouse refuses for good, kept apart', [
      'table',
    ]),
    archiveFailing: gauge('archive_partitions_failing', 'Partitions whose slice fails at the moment'),
    consumerFaults: counter('consumer_faults_total', 'Consumers that a fault has stopped', ['group', 'topic']),
    partitionsClosed: counter('partitions_closed_total', 'Partitions that a fault closed, to be opened anew', ['group', 'topic']),
    stateTroubles: counter('state_troubles_total', 'Troubles with the state store and their ends, by kind', ['kind']),
    logTroubles: counter('log_troubles_total', 'Troubles with the log that were ridden out, by kind', ['kind']),
    logLinesLost: counter('log_lines_lost_total', 'Log lines that the error output did not take'),
    lag: gauge('consumer_lag_records', 'Records behind the end of the log', ['group', 'topic']),
  };
  // Prometheus sees no rise in a counter that comes into being with its first event: those whose labels are known beforehand are
  // there from the start.
  for (const reason of [...rejectReasons, 'scoring-fault']) metrics.rejected.inc({ reason }, 0);
  for (const how of ['adopted', 'rebuilt']) metrics.patternSets.inc({ how }, 0);
  for (const how of ['taken', 'restored', 'unusable', 'failed']) metrics.snapshots.inc({ how }, 0);
  for (const level of levels) metrics.unrouted.inc({ level }, 0);
  for (const channel of channelNames) {
    for (const level of levels) metrics.planned.inc({ channel, level }, 0);
    for (const outcome of deliveryOutcomes) metrics.attempts.inc({ channel, outcome }, 0);
  }
  for (const table of warehouseTables)
    for (const one of [metrics.archivedRows, metrics.archiveRetries, metrics.archiveQuarantined]) one.inc({ table }, 0);
  for (const [group, topic] of consumers)
    for (const one of [metrics.consumerFaults, metrics.partitionsClosed]) one.inc({ group, topic }, 0);
  return metrics;
}
