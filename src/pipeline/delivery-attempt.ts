import { formatShanghai } from '../domain/bank-day.js';
import type { Delivery } from '../domain/delivery.js';
import { isHolderTold, nextAttempt, rank } from '../domain/dispatch-policy.js';
import { derivedId } from '../domain/identity.js';
import { partitionOf } from '../domain/partition.js';
import type { WarningCommandEvent } from '../domain/warning-command.js';
import type { Warning } from '../domain/warning.js';
import type { Outcome } from '../ports/channel.js';
import { describeFault } from '../telemetry/scrub.js';
import type { AttemptResult } from './delivery-lanes.js';
import { deliveryEmission, removePending, type DispatchOptions, type DispatchPartition } from './dispatch-partition.js';
import { pendingEntry, pendingKey, readWarning, warningKey, type PendingDelivery } from './dispatch-record.js';
import type { Emission, SlotChange } from './owned-slot.js';
import type { RegisteredRecipient } from './recipients.js';

type Finding = Outcome | { readonly kind: 'cancelled'; readonly reason: string };

/** Where a delivery waits for its time. */
export interface Waiting {
  /** It waits for its next attempt. */
  again(delivery: PendingDelivery): void;
  /** It comes up at once where it waits; one under way is left alone. */
  hasten(delivery: PendingDelivery): void;
}

/**
 * One attempt, from the warning's latest text to the recorded outcome. Resolves when the outcome is durable and on the log.
 * Rejects only where it could not be recorded; the delivery is then made again after a restart, under the same id.
 */
export async function attemptDelivery(
  options: DispatchOptions,
  partition: DispatchPartition,
  delivery: PendingDelivery,
  waiting: Waiting,
): Promise<AttemptResult> {
  const [warning, registered] = await Promise.all([
    readWarning(options.state, partition.name, delivery.warningId),
    options.recipients.registered(),
  ]);
  const recipient = registered.get(delivery.recipient);
  const startedMs = options.clock.now();
  const finding = await send(options, partition, delivery, warning, recipient);
  // The process goes down: what became of the attempt is not known, and it stays planned.
  if (finding === 'stopped') return 'answered';
  const revision = warning?.revision ?? delivery.revision;
  await settle(
    options,
    partition,
    delivery,
    { finding, revision, by: recipient?.name ?? delivery.recipient, startedMs },
    waiting,
  );
  if (!recipient) return 'gone';
  return finding.kind === 'retry' ? 'failed' : 'answered';
}

async function send(
  options: DispatchOptions,
  partition: DispatchPartition,
  delivery: PendingDelivery,
  warning: Warning | null,
  recipient: RegisteredRecipient | undefined,
): Promise<Finding | 'stopped'> {
  if (delivery.cancelled) return { kind: 'cancelled', reason: `the warning was ${delivery.cancelled}` };
  if (!recipient) return { kind: 'cancelled', reason: 'the recipient is not registered any more' };
  if (!warning) return { kind: 'cancelled', reason: 'the warning is not kept any more' };
  // What was planned while the enterprise was still to be told must not tell it of what came after.
  if (recipient.kind === 'enterprise' && !isHolderTold(warning))
    return { kind: 'cancelled', reason: 'the enterprise is not told of this warning any more' };
  const channel = options.channels.find(({ name }) => name === delivery.channel);
  if (!channel) return { kind: 'cancelled', reason: `there is no channel ${delivery.channel} here` };
  const target = { recipient: recipient.id, url: recipient.webhook.url, secret: recipient.secret };
  const limit = AbortSignal.timeout(options.settings.attemptTimeoutMs);
  try {
    const signal = AbortSignal.any([partition.stop.signal, limit]);
    const outcome = await channel.deliver({ deliveryId: delivery.id, event: delivery.event, warning, target }, signal);
    return outcome.kind === 'retry' && partition.stop.signal.aborted ? 'stopped' : outcome;
  } catch (fault) {
    if (partition.stop.signal.aborted) return 'stopped';
    if (limit.aborted) return { kind: 'retry', reason: `no outcome within ${options.settings.attemptTimeoutMs} ms` };
    return { kind: 'retry', reason: describeFault(fault) };
  }
}

interface Result {
  readonly finding: Finding;
  readonly revision: number;
  readonly by: string;
  readonly startedMs: number;
}

async function settle(
  options: DispatchOptions,
  partition: DispatchPartition,
  delivery: PendingDelivery,
  { finding, revision, by, startedMs }: Result,
  waiting: Waiting,
): Promise<void> {
  const nowMs = options.clock.now();
  if (finding.kind !== 'cancelled') delivery.attempts++;
  const result = judge(options, delivery, finding, nowMs);
  const data: Delivery = {
    deliveryId: delivery.id,
    warningId: delivery.warningId,
    revision,
    level: delivery.level,
    recipient: delivery.recipient,
    channel: delivery.channel,
    attempt: delivery.attempts,
    outcome: result.outcome,
    reason: result.reason,
    latencyMs: nowMs - startedMs,
    ...(finding.kind === 'delivered' ? { status: finding.status } : {}),
    ...(result.outcome === 'retried' ? { nextAt: formatShanghai(result.dueMs) } : {}),
  };
  const emit = [deliveryEmission(options.log, partition.name, nowMs, data)];
  const isAcknowledged = finding.kind === 'delivered' && finding.acknowledged;
  if (isAcknowledged) emit.push(acknowledgement(options, partition, delivery, by, nowMs));
  const superseded = isAcknowledged ? supersededBy(partition, delivery) : [];
  for (const other of superseded) other.cancelled = 'acknowledged';

  if (result.outcome === 'retried') [delivery.dueMs, delivery.slotMs] = [result.dueMs, result.slotMs];
  const { put = [], ...change } = bookkeeping(partition, delivery, result.outcome === 'retried');
  await partition.slot.commit({ ...change, put: [...put, ...superseded.map(pendingEntry)], emit });
  options.telemetry.deliveryAttempted({ ...data, delivery: delivery.id });
  for (const other of superseded) waiting.hasten(other);
  if (result.outcome !== 'retried') return;
  // Cancelled while this very outcome was being written: it comes up once more at once, and is dropped then.
  if (delivery.cancelled) delivery.dueMs = nowMs;
  waiting.again(delivery);
}

/** What the recipient need not be told any more once it has acknowledged this delivery: the same warning at no higher level. */
function supersededBy({ pending }: DispatchPartition, delivery: PendingDelivery): PendingDelivery[] {
  const { id, recipient, level, warningId } = delivery;
  return [...(pending.get(warningId)?.values() ?? [])].filter(
    (other) => other.id !== id && other.recipient === recipient && !other.cancelled && rank(other.level) <= rank(level),
  );
}

type Judgement =
  | { readonly outcome: 'retried'; readonly reason: string; readonly dueMs: number; readonly slotMs: number }
  | { readonly outcome: 'delivered' | 'refused' | 'exhausted' | 'cancelled'; readonly reason: string };

function judge(options: DispatchOptions, delivery: PendingDelivery, finding: Finding, nowMs: number): Judgement {
  switch (finding.kind) {
    case 'delivered':
      return { outcome: 'delivered', reason: finding.acknowledged ? 'acknowledged' : 'accepted' };
    case 'refused':
    case 'cancelled':
      return { outcome: finding.kind, reason: finding.reason };
    case 'retry': {
      if (delivery.cancelled) return { outcome: 'cancelled', reason: `the warning was ${delivery.cancelled}` };
      const next = nextAttempt({
        plannedAtMs: delivery.plannedAtMs,
        nowMs,
        lastSlotMs: delivery.slotMs,
        afterMs: finding.afterMs,
        chance: options.random(),
        retry: options.routes.retry,
      });
      if (next.kind === 'exhausted')
        return { outcome: 'exhausted', reason: `${next.reason}; the last answer: ${finding.reason}` };
      return { outcome: 'retried', reason: finding.reason, dueMs: next.dueMs, slotMs: next.slotMs };
    }
  }
}

function bookkeeping(partition: DispatchPartition, delivery: PendingDelivery, retried: boolean): SlotChange<never> {
  if (retried) return { put: [pendingEntry(delivery)] };
  const last = removePending(partition, delivery);
  return { delete: [pendingKey(delivery), ...(last ? [warningKey(delivery.warningId)] : [])] };
}

function acknowledgement(
  options: DispatchOptions,
  partition: DispatchPartition,
  delivery: PendingDelivery,
  by: string,
  timeMs: number,
): Emission {
  const { warningId, subjectKey } = delivery;
  const event: WarningCommandEvent = {
    id: derivedId('acknowledge', delivery.id),
    type: 'warning.acknowledge',
    source: `huqi/${partition.name}`,
    subject: warningId,
    time: formatShanghai(timeMs),
    data: { warningId, subjectKey, by },
  };
  return { topic: 'commands', partition: partitionOf(subjectKey, options.log.partitions('commands')), event };
}
