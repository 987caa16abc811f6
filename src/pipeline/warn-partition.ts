import { z } from 'zod';
import { formatShanghai } from '../domain/bank-day.js';
import { derivedId } from '../domain/identity.js';
import { partitionOf } from '../domain/partition.js';
import type { LogBatch, PartitionProcessor } from '../ports/log.js';
import { createFailure } from './failure.js';
import { openOwnedSlot, type Emission } from './owned-slot.js';
import { commandsProducer, listenToCommands } from './warn-commands.js';
import { decideWarnings, type Revision } from './warn-decisions.js';
import { newInputs } from './warn-inputs.js';
import { createWarningShelf } from './warning-shelf.js';
import type { WarnOptions, WarnSettings } from './warn.js';

/** Where the partition stands: all of it moves in one commit with the warnings that it led to. */
const headSchema = z.object({
  /** Offset of `hits` to read next; null before the first batch. */
  hits: z.int().nullable(),
  /** Of stores of earlier releases: offset of `commands` up to which they were obeyed. */
  commands: z.int().nullable(),
  /** Highest sequence taken from each producer of hits and commands: what is not above it was sent again. */
  producers: z.record(z.string(), z.int()),
});
type Head = z.infer<typeof headSchema>;

const sweepEveryMs = 60_000;

type Options = WarnOptions & { readonly settings: WarnSettings };

export const warnSlot = (partition: number) => `warn/${partition}`;

/**
 * The warnings of one partition are a function of that partition of `hits` alone, record by record: revisions, times and texts.
 * Whatever is read again, after a kill or from a store that has lost its last commits, is told again word for word.
 */
export async function openWarnPartition(
  options: Options,
  partition: number,
): Promise<{ processor: PartitionProcessor; heard(): number | null }> {
  const { log, state, policy, clock, newId, settings, telemetry } = options;
  const { failed, fail } = createFailure();
  const slot = await openOwnedSlot<Head>({
    onLost: fail,
    state,
    log,
    slot: warnSlot(partition),
    newId,
    head: headSchema,
    initial: { hits: null, commands: null, producers: {} },
  });
  const shelf = createWarningShelf({ state, slot: warnSlot(partition), settings });
  const { producers, commands } = slot.head;
  const from = producers[commandsProducer(partition)] ?? commands;
  const listener = listenToCommands({ log, partition, from, limit: settings.limit, clock });
  listener.done.catch(fail);
  let sweptAtMs = clock.now();

  async function process(batch: LogBatch): Promise<void> {
    const { inputs, marks, unread } = newInputs(batch.records, slot.head.producers, partition);
    const { revisions, entries } = await decideWarnings(shelf, inputs, policy);
    const now = clock.now();
    const changes = entries.map((entry) => shelf.changesFor(entry, entry.warning, now));
    await slot.commit({
      head: { hits: batch.next, producers: marks },
      put: changes.flatMap(({ put }) => put),
      delete: changes.flatMap((change) => change.delete),
      emit: revisions.map(emission),
    });
    for (const revision of revisions) report(revision, now);
    for (const command of unread) telemetry?.warningCommandUnread({ partition, ...command });
    await sweepNowAndThen();
  }

  function emission({ warning, change, timeMs }: Revision): Emission {
    return {
      topic: 'warnings',
      partition: partitionOf(warning.subject.key, log.partitions('warnings')),
      event: {
        id: derivedId('warning', warning.id, warning.revision),
        type: change === 'raised' ? 'warning.raised' : 'warning.updated',
        source: `huqi/warn/${partition}`,
        subject: warning.id,
        time: formatShanghai(timeMs),
        data: warning,
      },
    };
  }

  function report({ warning, change, receivedAtMs }: Revision, now: number): void {
    const { level, family } = warning;
    const latency = receivedAtMs === undefined ? {} : { latencyMs: now - receivedAtMs };
    if (change === 'raised') telemetry?.warningRaised({ level, family, latencyMs: 0, ...latency });
    else telemetry?.warningUpdated({ level, family, ...latency });
  }

  async function sweepNowAndThen(): Promise<void> {
    const now = clock.now();
    if (now - sweptAtMs < sweepEveryMs) return;
    sweptAtMs = now;
    const changes = await shelf.sweep(now);
    if (changes.delete.length > 0) await slot.commit(changes);
  }

  return {
    processor: {
      start: slot.head.hits ?? 'earliest',
      limit: settings.limit,
      process,
      failed,
      close: async () => {
        await listener.stop();
        await slot.close();
      },
    },
    /** Up to where `commands` was handed on; null before the first. */
    heard: () => listener.position(),
  };
}
