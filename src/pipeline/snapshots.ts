import { endianness } from 'node:os';
import { OwnershipLost } from '../ports/log.js';
import type { State } from '../ports/state.js';
import { stateFormat } from '../scoring/snapshot-state.js';
import type { MemoryCopy, PartitionMemory } from './score-memory.js';
import type { PatternSetIdentity } from './score.js';
import { type Manifest, openSnapshotStore, type SnapshotFacts, type SnapshotStore } from './snapshot-store.js';
import { createTurns, type Turns } from './turns.js';

/** What a snapshot is taken of: a partition between two batches. */
export interface SnapshotSubject {
  readonly memory: PartitionMemory;
  /** Offset behind the last record that is in it. */
  readonly position: number;
  readonly batch: string;
}

/** Snapshots of one partition: taken while it is scored, restored when it is opened. */
export interface Snapshots {
  /**
   * Puts the state of the snapshot that counts into what `into` makes, where it fits; null, and a line that says why, where it
   * does not. What `into` has made then is of no use.
   */
  restore<Patterns extends PatternSetIdentity>(
    wanted: { readonly planId: string; readonly first: number; readonly upTo: number },
    into: () => Promise<PartitionMemory<Patterns>>,
  ): Promise<{ readonly memory: PartitionMemory<Patterns>; readonly position: number } | null>;
  /** Does something with the engine, which is not copied meanwhile. */
  use<T>(work: () => Promise<T>): Promise<T>;
  /** So much more would have to be done again after a restart. */
  grown(durationMs: number): void;
  /** Takes another snapshot beside the work that goes on, where it is time. */
  offer(): void;
  /** With a time, takes a last one where it is worth it, and is done by then. Whatever is on its way otherwise is given up. */
  close(untilMs: number | null): Promise<void>;
}

export interface SnapshotSettings {
  /** The time between two, as long as they are cheap; 0: none is taken, and none used. */
  readonly snapshotEveryMs: number;
  /** None is taken while what would have to be done again takes less time than this. */
  readonly snapshotWorthMs: number;
  /** Share of the time that taking them may take. */
  readonly snapshotShareMax: number;
}

export interface SnapshotTelemetry {
  snapshotTaken(fact: {
    partition: number;
    position: number;
    bytes: number;
    storedBytes: number;
    copyMs: number;
    durationMs: number;
    takenAtMs: number;
  }): void;
  snapshotRestored(fact: { partition: number; position: number; bytes: number; durationMs: number; takenAtMs: number }): void;
  snapshotUnusable(fact: { partition: number; reason: string }): void;
  snapshotFailed(fact: { partition: number; error: unknown }): void;
}

interface Options {
  readonly state: State;
  readonly partition: number;
  readonly partitions: number;
  readonly newId: () => string;
  readonly clock: { now(): number };
  readonly settings: SnapshotSettings;
  readonly telemetry: SnapshotTelemetry | undefined;
  /** Of this process: one partition at a time. */
  readonly turns: Turns;
  /** What there is now; null while its state and its journal do not belong together. */
  readonly subject: () => SnapshotSubject | null;
  /** Throws `OwnershipLost` where another process has taken the partition over. */
  readonly verifyOwner: () => Promise<void>;
}

const format = `${stateFormat}-${endianness()}-lz4`;

export async function openSnapshots(options: Options): Promise<Snapshots> {
  const { state, partition, partitions, newId, clock, settings, telemetry, turns, subject } = options;
  let store: SnapshotStore | null = await openSnapshotStore({ state, partition, newId });
  const engineTurns = createTurns();
  /** What would have to be done again, in milliseconds. */
  let againMs = 0;
  let notBeforeMs = store.current ? Math.min(store.current.takenAtMs, clock.now()) + settings.snapshotEveryMs : -Infinity;
  /** A snapshot was asked for; it waits for its turn until it is being written. */
  let isAsked = false;
  let writing: Promise<void> | null = null;
  /** The one that counts was found to be of no use: anything is better. */
  let isRefused = false;
  let isClosed = false;
  let untilMs = -Infinity;
  const isStopped = (): boolean => isClosed && clock.now() >= untilMs;

  async function take(): Promise<void> {
    const startedAtMs = clock.now();
    const isIdle = isStopped() || againMs < settings.snapshotWorthMs;
    const copied = isIdle ? null : await engineTurns.run(copySubject);
    if (!copied) return;
    const { facts, copy, copyMs } = copied;
    const againBeforeMs = againMs;
    const written = await write(facts, copy).finally(() => copy.drop());
    if (written === 'not worth it') return;
    const durationMs = clock.now() - startedAtMs;
    notBeforeMs = clock.now() + Math.max(settings.snapshotEveryMs, durationMs / settings.snapshotShareMax);
    if (written === 'given up') return;
    isRefused = false;
    againMs -= againBeforeMs;
    const { position, bytes, storedBytes, takenAtMs } = written;
    telemetry?.snapshotTaken({ partition, position, bytes, storedBytes, copyMs, durationMs, takenAtMs });
  }

  async function write(facts: SnapshotFacts, copy: MemoryCopy): Promise<Manifest | 'not worth it' | 'given up'> {
    store ??= await reopened();
    if (!isWorthMore(facts, store.current)) return 'not worth it';
    return (await store.write(facts, copy.chunks(), isStopped)) ?? 'given up';
  }

  /** Whoever was replaced without knowing it must not put something older in the place of something newer. */
  function isWorthMore({ planId, position }: SnapshotFacts, current: Manifest | null): boolean {
    if (!current || isRefused) return true;
    return current.format !== format || current.planId !== planId || current.position < position;
  }

  async function copySubject(): Promise<{ facts: SnapshotFacts; copy: MemoryCopy; copyMs: number } | null> {
    const of = subject();
    if (!of || isStopped()) return null;
    const { memory, position, batch } = of;
    const takenAtMs = clock.now();
    const { planId } = memory.patternSet;
    const copy = await memory.copy();
    if (!copy) return null;
    const facts = { format, planId, partitions, position, batch, marks: copy.marks, takenAtMs };
    return { facts, copy, copyMs: clock.now() - takenAtMs };
  }

  /** After a write whose outcome nobody knows, or another owner's. */
  async function reopened(): Promise<SnapshotStore> {
    await options.verifyOwner();
    return openSnapshotStore({ state, partition, newId });
  }

  function begin(): Promise<void> {
    isAsked = true;
    return turns
      .run(() => (writing = take()))
      .catch((error: unknown) => {
        store = null;
        notBeforeMs = clock.now() + settings.snapshotEveryMs;
        // Whose partition it is, the journal says with its next entry.
        if (!(error instanceof OwnershipLost)) telemetry?.snapshotFailed({ partition, error });
      })
      .finally(() => {
        isAsked = false;
        writing = null;
      });
  }

  function refuse(reason: string): null {
    isRefused = true;
    notBeforeMs = -Infinity;
    telemetry?.snapshotUnusable({ partition, reason });
    return null;
  }

  return {
    async restore(wanted, into) {
      const manifest = store?.current;
      if (!store || !manifest) return null;
      const startedAtMs = clock.now();
      const reason = whyUnusable(manifest, { ...wanted, partitions });
      if (reason !== null) return refuse(reason);
      const memory = await into();
      try {
        const restoring = memory.restore();
        await store.read((stored) => restoring.take(stored));
        await restoring.end(manifest.marks);
        const { position, bytes, takenAtMs } = manifest;
        telemetry?.snapshotRestored({ partition, position, bytes, durationMs: clock.now() - startedAtMs, takenAtMs });
        return { memory, position };
      } catch (error) {
        memory.close();
        if (error instanceof Error && 'retriable' in error && error.retriable === true) throw error;
        return refuse(error instanceof Error ? error.message : 'it cannot be read');
      }
    },
    use: (work) => engineTurns.run(work),
    grown(durationMs) {
      againMs += durationMs;
    },
    offer() {
      if (isAsked || isClosed || againMs < settings.snapshotWorthMs || clock.now() < notBeforeMs) return;
      void begin();
    },
    async close(until) {
      untilMs = until ?? -Infinity;
      isClosed = true;
      if (until === null) await writing?.catch(() => undefined);
      else if (againMs >= settings.snapshotWorthMs || isAsked) await begin();
    },
  };
}

interface Wanted {
  readonly planId: string;
  readonly partitions: number;
  /** First record that the log keeps, and the offset up to which the state may go. */
  readonly first: number;
  readonly upTo: number;
}

/** Why a snapshot is not the state of a prefix of the kept log under the pattern set; null where it is. */
export function whyUnusable(manifest: Manifest, { planId, partitions, first, upTo }: Wanted): string | null {
  if (manifest.format !== format) return `its format is ${manifest.format}, this release reads ${format}`;
  if (manifest.planId !== planId) return 'the pattern set keeps another state';
  if (manifest.partitions !== partitions) return `it is of one of ${manifest.partitions} partitions, there are ${partitions}`;
  if (manifest.position < first) return `it ends at offset ${manifest.position}, the log begins at ${first}`;
  if (manifest.position > upTo) return `it ends at offset ${manifest.position}, the journal at ${upTo}`;
  return null;
}
