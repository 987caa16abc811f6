import { formatShanghai } from '../domain/bank-day.js';
import { deliverySchema } from '../domain/delivery.js';
import { decodeEvents, type Event } from '../domain/event.js';
import { hitSchema } from '../domain/hit.js';
import { encodeReference } from '../domain/reference-record.js';
import type { Reference } from '../domain/reference.js';
import { transactionTimeMs } from '../domain/event-time.js';
import type { DeliveryRow, EventRow, HitRow, ReferenceRow, RejectedRow, WarningRow } from '../ports/warehouse-rows.js';
import { warningSchema } from '../domain/warning.js';
import type { RejectedRecord } from './rejections.js';

/** Rows of the warehouse for the events of one record, and the table they belong to. Throws for a damaged record. */
export const tableOfTopic = {
  rejected: 'rejected',
  hits: 'hits',
  warnings: 'warnings',
  deliveries: 'deliveries',
  legs: 'events',
  commands: 'events',
  events: 'events',
  controls: 'events',
} as const;
export type EventTopic = keyof typeof tableOfTopic;

export function eventRows(topic: EventTopic, record: Uint8Array): object[] {
  const toRow = rowOf[topic];
  const { events } = decodeEvents(record);
  // Commands stand among the hits as well; they are archived from their own topic.
  return (topic === 'hits' ? events.filter(({ type }) => type.startsWith('hit.')) : events).map(toRow);
}

const rowOf: Readonly<Record<EventTopic, (event: Event) => object>> = {
  rejected: rejectedRow,
  hits: hitRow,
  warnings: warningRow,
  deliveries: deliveryRow,
  legs: eventRow,
  commands: eventRow,
  events: eventRow,
  controls: eventRow,
};

function rejectedRow(event: Event): RejectedRow {
  const { bank, line, reason, field } = event.data as RejectedRecord;
  return { id: event.id, received_at: event.time, bank, line, reason, field, raw: JSON.stringify(event.data) };
}

function hitRow(event: Event): HitRow {
  const hit = hitSchema.parse(event.data);
  return {
    id: hit.id,
    pattern: hit.pattern,
    version: hit.version,
    transaction: hit.transaction,
    bank: hit.bank,
    time: hit.time,
    subject: hit.subject.id,
    side: hit.side,
    severity: hit.severity,
    score: hit.score,
    state: hit.state,
    family: hit.family,
    amount_fen: hit.amountFen,
    payer_account: hit.payer.account,
    payee_account: hit.payee.account,
    late: hit.late,
    received_at: formatShanghai(hit.receivedAtMs),
    data: JSON.stringify(event.data),
  };
}

function warningRow(event: Event): WarningRow {
  const warning = warningSchema.parse(event.data);
  return {
    id: warning.id,
    revision: warning.revision,
    family: warning.family,
    level: warning.level,
    status: warning.status,
    score: warning.score,
    subject: warning.subject.key,
    enterprise: warning.subject.name,
    amount_fen: warning.amountFen,
    hit_count: warning.hitCount,
    first_time: warning.firstTime,
    last_time: warning.lastTime,
    raised_at: warning.raisedAt,
    data: JSON.stringify(event.data),
  };
}

/** One row per attempt: the id is the event's, the delivery's own is in `data`. */
function deliveryRow(event: Event): DeliveryRow {
  const { warningId, recipient, channel, attempt, outcome } = deliverySchema.parse(event.data);
  return {
    id: event.id,
    warning: warningId,
    recipient,
    channel,
    attempt,
    outcome,
    time: event.time,
    data: JSON.stringify(event.data),
  };
}

function eventRow(event: Event): EventRow {
  return { id: event.id, type: event.type, subject: event.subject, time: event.time, data: JSON.stringify(event.data) };
}

export function referenceRow(reference: Reference, receivedAtMs: number): ReferenceRow {
  const { id, bank, type, time } = reference;
  return {
    id,
    bank,
    type,
    account: 'account' in reference ? reference.account : undefined,
    time: formatShanghai(transactionTimeMs(time)),
    received_at: formatShanghai(receivedAtMs),
    body: Buffer.from(encodeReference(reference)).toString(),
  };
}
