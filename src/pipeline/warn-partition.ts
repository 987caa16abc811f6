import { z } from 'zod';
import { formatShanghai } from '../domain/bank-day.js';
import { decodeEvents, type Event } from '../domain/event.js';
import { hitSchema, type Hit } from '../domain/hit.js';
import { derivedId } from '../domain/identity.js';
import { partitionOf } from '../domain/partition.js';
import { warningCommandSchema } from '../domain/warning-command.js';
import { absorbHit, transactionOf, warningIdOf, type WarningFacts } from '../domain/warning-facts.js';
import { isTold, obeyCommand, settleWarning, type WarningChange } from '../domain/warning-policy.js';
import type { Warning } from '../domain/warning.js';
import type { LogBatch, LogRecord, PartitionProcessor, Topic } from '../ports/log.js';
import { createFailure } from './failure.js';
import { openOwnedSlot, type Emission } from './owned-slot.js';
import { LogDamaged } from './transaction-frames.js';
import { createWarningShelf, type ShelvedWarning } from './warning-shelf.js';
import type { WarnOptions, WarnSettings } from './warn.js';

/** Where the partition stands: all of it moves in one commit with the warnings that it led to. */
const headSchema = z.object({
  /** Offset of `hits` to read next; null before the first batch. */
  hits: z.int().nullable(),
  commands: z.int().nullable(),
  /** Highest sequence taken from each producer of hits: what is not above it was sent again. */
  producers: z.record(z.string(), z.int()),
});
type Head = z.infer<typeof headSchema>;

/** How long a listener waits before it looks whether it should stop. */
const listenMs = 10_000;
const sweepEveryMs = 60_000;

type Options = WarnOptions & { readonly settings: WarnSettings };

export const warnSlot = (partition: number) => `warn/${partition}`;

export async function openWarnPartition(
  options: Options,
  partition: number,
): Promise<{ processor: PartitionProcessor; heard(): number | null }> {
  const { log, state, policy, clock, newId, settings, telemetry } = options;
  const slot = await openOwnedSlot<Head>({
    state,
    log,
    slot: warnSlot(partition),
    newId,
    head: headSchema,
    initial: { hits: null, commands: null, producers: {} },
  });
  const shelf = createWarningShelf({ state, slot: warnSlot(partition), settings });
  const stopping = new AbortController();
  let sweptAtMs = clock.now();
  /** Offset up to which commands were obeyed and told. */
  let heard = slot.head.commands;
  let turn: Promise<unknown> = Promise.resolve();
  const { failed, fail } = createFailure();
  const listening = listen().catch(fail);

  /** Hits and commands take turns: both read, decide and commit on the same warnings. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function takeHits(batch: LogBatch): Promise<void> {
    const { producers, hits } = newHits(batch.records, slot.head.producers, partition);
    const touched = await absorb(hits);
    await save(touched, { hits: batch.next, producers });
    await sweepNowAndThen();
  }

  async function absorb(hits: readonly Hit[]): Promise<(Touched | Quiet)[]> {
    const warned = hits.filter(({ state }) => state === 'active');
    const shelved = await shelf.load(warned.map((hit) => ({ warningId: warningIdOf(hit), transaction: transactionOf(hit) })));
    const oldest = new Map<string, number>();
    for (const hit of warned) {
      const entry = shelved(warningIdOf(hit));
      const transaction = transactionOf(hit);
      const { outcome, facts } = absorbHit(entry.facts, hit, entry.seen.get(transaction) ?? [], policy);
      if (outcome === 'repeat') continue;
      entry.facts = facts;
      entry.seen.set(transaction, [...(entry.seen.get(transaction) ?? []), hit.id]);
      entry.changed.add(transaction);
      oldest.set(entry.id, Math.min(oldest.get(entry.id) ?? Infinity, hit.receivedAtMs));
    }
    const now = clock.now();
    return [...oldest].map(([id, receivedAtMs]) => {
      const entry = shelved(id);
      const settled = settleWarning(entry.warning, factsOf(entry), policy, now);
      return isTold(entry.warning, settled.warning, policy) ? { entry, receivedAtMs, ...settled } : { entry };
    });
  }

  async function takeCommands(batch: LogBatch): Promise<void> {
    const events = batch.records.flatMap((record) => eventsOf('commands', partition, record));
    const touched = new Map<string, Touched>();
    for (const event of events) {
      // What is no command about warnings is for somebody else on this topic.
      const command = warningCommandSchema.safeParse(event).data;
      if (!command) continue;
      const entry = touched.get(command.data.warningId)?.entry ?? (await shelf.find(command.data.warningId));
      if (!entry?.warning) continue;
      const outcome = obeyCommand(entry.warning, factsOf(entry), command, event.time);
      if (outcome.kind !== 'changed') continue;
      // One revision a batch: what is told is the last word, and the revisions between were never seen.
      const revision = touched.get(entry.id)?.warning.revision ?? outcome.warning.revision;
      entry.warning = { ...outcome.warning, revision };
      touched.set(entry.id, { entry, warning: entry.warning, change: outcome.change, receivedAtMs: undefined });
    }
    await save([...touched.values()], { commands: batch.next });
  }

  async function save(changed: readonly (Touched | Quiet)[], head: Partial<Head>): Promise<void> {
    const now = clock.now();
    const touched = changed.filter((one): one is Touched => 'warning' in one);
    const changes = changed.map((one) => shelf.changesFor(one.entry, 'warning' in one ? one.warning : null, now));
    await slot.commit({
      head,
      put: changes.flatMap(({ put }) => put),
      delete: changes.flatMap((change) => change.delete),
      emit: touched.map(({ warning, change }) => emission(warning, change)),
    });
    for (const one of touched) report(one, now);
  }

  function emission(warning: Warning, change: WarningChange): Emission {
    return {
      topic: 'warnings',
      partition: partitionOf(warning.subject.key, log.partitions('warnings')),
      event: {
        id: derivedId('warning', warning.id, warning.revision),
        type: change === 'raised' ? 'warning.raised' : 'warning.updated',
        source: `huqi/warn/${partition}`,
        subject: warning.id,
        time: formatShanghai(clock.now()),
        data: warning,
      },
    };
  }

  function report({ warning, change, receivedAtMs }: Touched, now: number): void {
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

  async function listen(): Promise<void> {
    let position = heard ?? (await log.bounds('commands', partition)).first;
    while (!stopping.signal.aborted) {
      const batch = await log.read('commands', partition, position, settings.limit);
      if (batch.records.length === 0) {
        await log.waitFor('commands', partition, position, listenMs, stopping.signal);
        continue;
      }
      await inTurn(() => takeCommands(batch));
      position = batch.next;
      heard = position;
    }
  }

  return {
    processor: {
      start: slot.head.hits ?? 'earliest',
      limit: settings.limit,
      process: (batch) => inTurn(() => takeHits(batch)),
      failed,
      close: async () => {
        stopping.abort();
        await listening;
        await turn;
        await slot.close();
      },
    },
    /** Where it goes on with `commands`; null before the first. */
    heard: () => heard,
  };
}

/** Hits that are kept, of which nobody is told yet. */
interface Quiet {
  readonly entry: ShelvedWarning;
}

interface Touched {
  readonly entry: ShelvedWarning;
  readonly warning: Warning;
  readonly change: WarningChange;
  /** Of the oldest transaction among the new hits; undefined for what a person said. */
  readonly receivedAtMs: number | undefined;
}

function factsOf(entry: ShelvedWarning): WarningFacts {
  if (!entry.facts) throw new Error(`warning ${entry.id} is stored without its facts`);
  return entry.facts;
}

/** The hits of frames that were not taken before, and the marks that then stand. */
function newHits(records: readonly LogRecord[], marks: Readonly<Record<string, number>>, partition: number) {
  const producers: Record<string, number> = { ...marks };
  const hits: Hit[] = [];
  for (const record of records) {
    const frame = frameOf('hits', partition, record);
    if (frame.sequence <= (producers[frame.producer] ?? -1)) continue;
    producers[frame.producer] = frame.sequence;
    for (const event of frame.events) {
      if (event.type === 'hit.found') hits.push(hitOf(event, partition, record.offset));
    }
  }
  return { producers, hits };
}

function hitOf(event: Event, partition: number, offset: number): Hit {
  const result = hitSchema.safeParse(event.data);
  if (result.success) return result.data;
  throw new LogDamaged(
    'hits',
    partition,
    offset,
    `a hit in it has another shape: ${result.error.issues[0]?.path.join('.') ?? ''}`,
  );
}

function eventsOf(topic: Topic, partition: number, record: LogRecord): readonly Event[] {
  return frameOf(topic, partition, record).events;
}

function frameOf(topic: Topic, partition: number, { offset, value }: LogRecord) {
  try {
    return decodeEvents(value);
  } catch (cause) {
    throw new LogDamaged(topic, partition, offset, 'it is not a frame of events', { cause });
  }
}
