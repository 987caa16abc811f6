import type { Membership, PartitionProcessor } from '../ports/log.js';
import { attemptDelivery } from './delivery-attempt.js';
import { createDeliveryLanes } from './delivery-lanes.js';
import { countOf, isPending, openPartition, type DispatchOptions, type DispatchPartition } from './dispatch-partition.js';
import { planWarnings } from './dispatch-plan.js';
import { agedTold, laneOf, type PendingDelivery } from './dispatch-record.js';

/**
 * Tells recipients of warnings: joins group `dispatch` on `warnings`, plans deliveries, attempts them until they are
 * delivered, refused or too late, and says on `deliveries` what became of each attempt.
 *
 * What is planned and where the input stands become durable in one commit before anything is sent, so a warning is never
 * forgotten. An attempt whose outcome was not recorded when the process was killed is made again under the same delivery id:
 * at-least-once, the receiver drops repeats by id.
 */
export interface Dispatch extends Membership {
  /** Deliveries planned and not settled. */
  pending(): number;
}

/** How long attempts under way may go on when the partition is given up. */
const closeGraceMs = 1500;
const sweepEveryMs = 60_000;
/** How often endpoints of removed recipients are looked for. */
const forgetEveryMs = 60_000;

export async function createDispatch(options: DispatchOptions): Promise<Dispatch> {
  const { log, clock, settings, telemetry } = options;
  const owners = new Map<PendingDelivery, DispatchPartition>();
  const lanes = createDeliveryLanes<PendingDelivery>({
    settings,
    clock,
    telemetry,
    attempt: async (delivery) => {
      const partition = owners.get(delivery);
      if (!partition || partition.closing) return 'answered';
      const attempt = attemptDelivery(options, partition, delivery, { again, hasten });
      partition.underWay.add(attempt);
      try {
        const result = await attempt;
        if (!isPending(partition, delivery)) owners.delete(delivery);
        telemetry.deliveriesPending(partition.number, countOf(partition));
        return result;
      } catch (fault) {
        partition.failure.fail(fault);
        return 'answered';
      } finally {
        partition.underWay.delete(attempt);
      }
    },
  });

  function again(delivery: PendingDelivery): void {
    if (owners.get(delivery)?.closing === false) lanes.add([delivery]);
  }

  function hasten(delivery: PendingDelivery): void {
    if (owners.get(delivery)?.closing !== false || !lanes.remove(delivery)) return;
    // Changed only while it is in no queue: queues are ordered by it.
    delivery.dueMs = clock.now();
    lanes.add([delivery]);
  }

  const membership = await log.join('dispatch', 'warnings', async (number) => {
    const partition = await openPartition(options, number);
    const waiting = [...partition.pending.values()].flatMap((deliveries) => [...deliveries.values()]);
    for (const delivery of waiting) owners.set(delivery, partition);
    lanes.add(waiting);
    telemetry.deliveriesPending(number, waiting.length);
    return processor(partition);
  });

  function processor(partition: DispatchPartition): PartitionProcessor {
    const start = partition.slot.head.next ?? 'earliest';
    telemetry.consumerStarted({ group: 'dispatch', topic: 'warnings', partition: partition.number, from: start });
    let sweptMs = clock.now();
    let sweepAfter: string | undefined;
    return {
      start,
      failed: partition.failure.failed,
      limit: { recordsMax: settings.batchRecordsMax, bytesMax: settings.batchBytesMax },
      async process(batch) {
        const planned = await planWarnings(options, lanes, partition, batch);
        let removed = planned.delete;
        if (clock.now() - sweptMs >= sweepEveryMs) {
          const aged = await agedTold(options.state, partition.name, sweepAfter, clock.now() - settings.toldKeepMs);
          [sweptMs, sweepAfter] = [aged.after === undefined ? clock.now() : sweptMs, aged.after];
          removed = [...removed, ...aged.keys];
        }
        await partition.slot.commit({ head: { next: batch.next }, put: planned.put, delete: removed, emit: planned.emit });
        for (const delivery of planned.fresh) owners.set(delivery, partition);
        for (const delivery of planned.gone) owners.delete(delivery);
        lanes.add(planned.fresh);
        telemetry.deliveriesPending(partition.number, countOf(partition));
      },
      async close() {
        partition.closing = true;
        for (const [delivery, owner] of owners) {
          if (owner === partition && lanes.remove(delivery)) owners.delete(delivery);
        }
        const grace = setTimeout(() => partition.stop.abort(), closeGraceMs);
        await Promise.allSettled(partition.underWay);
        clearTimeout(grace);
        partition.stop.abort();
        // Those that were under way and stay planned: the next owner makes objects of its own.
        for (const [delivery, owner] of owners) if (owner === partition) owners.delete(delivery);
        await partition.slot.close();
      },
    };
  }

  async function forgetRemoved(): Promise<void> {
    const registered = await options.recipients.registered();
    const kept = new Set(
      [...registered.keys()].flatMap((recipient) => options.channels.map(({ name: channel }) => laneOf({ recipient, channel }))),
    );
    lanes.forget((lane) => !kept.has(lane));
  }

  const forgetting = setInterval(() => {
    // The state is away: the next time will do.
    forgetRemoved().catch(() => undefined);
  }, options.forgetEveryMs ?? forgetEveryMs);
  forgetting.unref();

  membership.done.catch(async (error: unknown) => {
    clearInterval(forgetting);
    telemetry.consumerFailed({ group: 'dispatch', topic: 'warnings', error });
    await lanes.stop();
  });
  return {
    done: membership.done,
    owned: () => membership.owned(),
    pending: () => lanes.pending,
    lag: () => membership.lag(),
    async leave() {
      clearInterval(forgetting);
      await membership.leave();
      await lanes.stop();
    },
  };
}
