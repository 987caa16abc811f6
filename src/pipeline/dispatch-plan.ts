import { decideDispatch, type PlannedDelivery, type Routes, type Told } from '../domain/dispatch-policy.js';
import { decodeEvents } from '../domain/event.js';
import type { Recipient } from '../domain/recipient.js';
import { levels, warningSchema, type Warning } from '../domain/warning.js';
import type { LogBatch } from '../ports/log.js';
import type { StateEntry } from '../ports/state.js';
import type { DeliveryLanes } from './delivery-lanes.js';
import {
  addPending,
  deliveryEmission,
  removePending,
  type DispatchOptions,
  type DispatchPartition,
} from './dispatch-partition.js';
import {
  laneOf,
  pendingEntry,
  pendingKey,
  readTold,
  toldEntry,
  warningEntry,
  warningKey,
  type PendingDelivery,
} from './dispatch-record.js';
import type { Emission } from './owned-slot.js';

/** What one batch of warnings changes: to be committed together with the position after it. */
export interface DispatchPlan {
  readonly put: StateEntry[];
  readonly delete: string[];
  readonly emit: Emission[];
  /** To be handed to the lanes once the plan is durable. */
  readonly fresh: PendingDelivery[];
  readonly gone: PendingDelivery[];
}

/** Decides for every warning of the batch. What it reads, it reads first; the rest happens at one moment. */
export async function planWarnings(
  options: DispatchOptions,
  lanes: DeliveryLanes<PendingDelivery>,
  partition: DispatchPartition,
  batch: LogBatch,
): Promise<DispatchPlan> {
  const warnings = batch.records.flatMap(({ value }) => warningsOf(value));
  const ids = [...new Set(warnings.map(({ id }) => id))];
  const [told, registered] = await Promise.all([readTold(options.state, partition.name, ids), options.recipients.registered()]);
  const recipients = [...registered.values()];
  const routes = onlyChannels(options.routes, new Set(options.channels.map(({ name }) => name)));

  const draft: Draft = {
    options,
    lanes,
    partition,
    told,
    latest: new Map(),
    fresh: new Map(),
    gone: [],
    marked: [],
    emit: [],
    deleted: new Set(),
    full: new Map(),
  };
  for (const warning of warnings) decide(draft, warning, recipients, routes);
  return finish(draft);
}

interface Draft {
  readonly options: DispatchOptions;
  readonly lanes: DeliveryLanes<PendingDelivery>;
  readonly partition: DispatchPartition;
  readonly told: Map<string, Told>;
  /** The latest revision of each warning that this batch has touched. */
  readonly latest: Map<string, Warning>;
  readonly fresh: Map<string, PendingDelivery>;
  readonly gone: PendingDelivery[];
  readonly marked: PendingDelivery[];
  readonly emit: Emission[];
  readonly deleted: Set<string>;
  /** Deliveries planned in this batch by lane, on top of what the lane holds. */
  readonly full: Map<string, number>;
}

function decide(draft: Draft, warning: Warning, recipients: readonly Recipient[], routes: Routes): void {
  const { options, told, latest } = draft;
  const nowMs = options.clock.now();
  const before = told.get(warning.id) ?? null;
  const decision = decideDispatch(before, warning, recipients, routes, nowMs);
  if (decision.kind === 'ignore') return;
  told.set(warning.id, decision.told);
  latest.set(warning.id, warning);
  if (decision.reason === 'nobody-registered') options.telemetry.warningUnrouted({ level: warning.level, warning: warning.id });
  if (decision.cancel) cancelPending(draft, warning, decision.cancel);
  for (const planned of decision.plan) plan(draft, warning, planned, before, nowMs);
}

function plan(draft: Draft, warning: Warning, planned: PlannedDelivery, before: Told | null, nowMs: number): void {
  const { options, partition } = draft;
  const { id, level, recipient, channel } = planned;
  const lane = laneOf(planned);
  const inBatch = draft.full.get(lane) ?? 0;
  if (draft.lanes.room(lane) - inBatch <= 0) {
    const reason = `more than ${options.settings.pendingPerEndpointMax} deliveries wait for this endpoint; read the feed to catch up`;
    const lost = {
      deliveryId: id,
      warningId: warning.id,
      revision: warning.revision,
      level,
      recipient,
      channel,
      attempt: 0,
      reason,
      latencyMs: 0,
    };
    draft.emit.push(deliveryEmission(options.log, partition.name, nowMs, { ...lost, outcome: 'exhausted' }));
    options.telemetry.deliveryAttempted({ ...lost, delivery: id, outcome: 'exhausted' });
    return;
  }
  draft.full.set(lane, inBatch + 1);
  options.telemetry.deliveryPlanned({ channel, level });
  const delivery: PendingDelivery = {
    id,
    lane,
    warningId: warning.id,
    subjectKey: warning.subject.key,
    revision: warning.revision,
    level,
    recipient,
    channel,
    event: before?.levels[lane] === undefined ? 'warning.raised' : 'warning.updated',
    attempts: 0,
    plannedAtMs: nowMs,
    dueMs: nowMs + (options.routes.retry.atSeconds[0] ?? 0) * 1000,
  };
  draft.fresh.set(id, delivery);
  addPending(partition, delivery);
}

function cancelPending(draft: Draft, warning: Warning, why: 'withdrawn'): void {
  const { options, partition } = draft;
  const timeMs = options.clock.now();
  for (const delivery of partition.pending.get(warning.id)?.values() ?? []) {
    if (!draft.fresh.delete(delivery.id)) {
      if (!draft.lanes.remove(delivery)) {
        // Under way: what comes back decides, but no other attempt is made.
        delivery.cancelled = why;
        draft.marked.push(delivery);
        continue;
      }
      draft.gone.push(delivery);
      draft.deleted.add(pendingKey(delivery));
    }
    removePending(partition, delivery);
    const { id, recipient, channel, level, attempts } = delivery;
    const data = {
      deliveryId: id,
      warningId: warning.id,
      revision: warning.revision,
      level,
      recipient,
      channel,
      attempt: attempts,
    };
    const reason = `the warning was ${why}`;
    draft.emit.push(
      deliveryEmission(options.log, partition.name, timeMs, { ...data, outcome: 'cancelled', reason, latencyMs: 0 }),
    );
    options.telemetry.deliveryAttempted({ ...data, delivery: id, outcome: 'cancelled', reason, latencyMs: 0 });
  }
}

function finish(draft: Draft): DispatchPlan {
  const { partition, told, latest, fresh, gone, marked, emit, deleted } = draft;
  const put = [...fresh.values(), ...marked].map(pendingEntry);
  for (const warning of latest.values()) {
    const memory = told.get(warning.id);
    if (memory) put.push(toldEntry(warning.id, memory));
    // The text of a warning is kept only while somebody has to be sent it.
    if (partition.pending.has(warning.id)) put.push(warningEntry(warning));
    else deleted.add(warningKey(warning.id));
  }
  return { put, delete: [...deleted], emit, fresh: [...fresh.values()], gone };
}

function warningsOf(value: Uint8Array): Warning[] {
  return decodeEvents(value)
    .events.filter(({ type }) => type === 'warning.raised' || type === 'warning.updated')
    .map(({ data }) => warningSchema.parse(data));
}

/** The routes without the channels that nobody serves here. */
function onlyChannels(routes: Routes, served: ReadonlySet<string>): Routes {
  const channels = { ...routes.channels };
  for (const level of levels) {
    const { enterprise, bank, centre } = channels[level];
    const keep = (list: typeof bank) => list.filter((name) => served.has(name));
    channels[level] = { enterprise: keep(enterprise), bank: keep(bank), centre: keep(centre) };
  }
  return { ...routes, channels };
}
