import { formatShanghai } from '../domain/bank-day.js';
import type { Delivery } from '../domain/delivery.js';
import type { Routes } from '../domain/dispatch-policy.js';
import type { Event } from '../domain/event.js';
import { derivedId } from '../domain/identity.js';
import { partitionOf } from '../domain/partition.js';
import type { Channel } from '../ports/channel.js';
import type { Log } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { LaneSettings } from './delivery-lanes.js';
import { headSchema, readPending, type DispatchHead, type PendingDelivery } from './dispatch-record.js';
import { createFailure, type Failure } from './failure.js';
import { openOwnedSlot, type Emission, type OwnedSlot } from './owned-slot.js';
import type { Recipients } from './recipients.js';

export interface DispatchSettings extends LaneSettings {
  readonly batchRecordsMax: number;
  readonly batchBytesMax: number;
  readonly attemptTimeoutMs: number;
  readonly toldKeepMs: number;
}

export interface DispatchOptions {
  readonly log: Log;
  readonly state: State;
  readonly channels: readonly Channel[];
  readonly recipients: Pick<Recipients, 'registered'>;
  readonly routes: Routes;
  readonly settings: DispatchSettings;
  readonly clock: { now(): number };
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** Never the same twice, over all processes. */
  readonly newId: () => string;
  readonly telemetry: Telemetry;
  /** How often endpoints of removed recipients are looked for; a minute where it is left out. */
  readonly forgetEveryMs?: number;
}

/** One partition of `warnings` while this process owns it. */
export interface DispatchPartition {
  readonly number: number;
  /** `dispatch/0`: its slot of the state and its name as a producer. */
  readonly name: string;
  readonly slot: OwnedSlot<DispatchHead>;
  /** By warning, then by delivery: everything planned and not settled, under way or not. */
  readonly pending: Map<string, Map<string, PendingDelivery>>;
  readonly stop: AbortController;
  readonly underWay: Set<Promise<unknown>>;
  /** What goes wrong beside the batches: an attempt whose outcome could not be recorded. */
  readonly failure: Failure;
  /** Nothing is started any more. */
  closing: boolean;
}

export async function openPartition(options: DispatchOptions, number: number): Promise<DispatchPartition> {
  const { log, state, newId } = options;
  const name = `dispatch/${number}`;
  const failure = createFailure();
  const initial = { next: null };
  const slot = await openOwnedSlot({ log, state, newId, slot: name, head: headSchema, initial, onLost: failure.fail });
  const pending: DispatchPartition['pending'] = new Map();
  for (const delivery of await readPending(state, name)) addPending({ pending }, delivery);
  return {
    number,
    name,
    slot,
    pending,
    stop: new AbortController(),
    underWay: new Set(),
    failure,
    closing: false,
  };
}

export function addPending({ pending }: Pick<DispatchPartition, 'pending'>, delivery: PendingDelivery): void {
  const deliveries = pending.get(delivery.warningId) ?? new Map<string, PendingDelivery>();
  deliveries.set(delivery.id, delivery);
  pending.set(delivery.warningId, deliveries);
}

/** True where nothing of its warning is pending any more. */
export function removePending({ pending }: Pick<DispatchPartition, 'pending'>, delivery: PendingDelivery): boolean {
  const deliveries = pending.get(delivery.warningId);
  deliveries?.delete(delivery.id);
  if (deliveries && deliveries.size > 0) return false;
  pending.delete(delivery.warningId);
  return true;
}

/** The event that says what became of a delivery; its id derives from the attempt, so that it is the same when said again. */
export function deliveryEmission(log: Log, source: string, timeMs: number, delivery: Delivery): Emission {
  const event: Event = {
    id: derivedId('delivery-event', delivery.deliveryId, delivery.attempt, delivery.outcome),
    type: `delivery.${delivery.outcome}`,
    source: `huqi/${source}`,
    subject: delivery.warningId,
    time: formatShanghai(timeMs),
    data: delivery,
  };
  return { topic: 'deliveries', partition: partitionOf(delivery.warningId, log.partitions('deliveries')), event };
}

export function isPending({ pending }: DispatchPartition, delivery: PendingDelivery): boolean {
  return pending.get(delivery.warningId)?.has(delivery.id) ?? false;
}

export function countOf({ pending }: DispatchPartition): number {
  let count = 0;
  for (const deliveries of pending.values()) count += deliveries.size;
  return count;
}
