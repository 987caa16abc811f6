import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLmdbLog } from '../../src/adapters/log/lmdb.js';
import { openEnvironment } from '../../src/adapters/lmdb-environment.js';
import { createLmdbState } from '../../src/adapters/state/lmdb.js';
import { decodeEvents, type Event } from '../../src/domain/event.js';
import type { Log, LogTrouble, Topic } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';

/** Partitions of the tests: few, and different from one another, so that a mistaken number shows. */
export const testPartitions: Record<Topic, number> = {
  transactions: 3,
  rejected: 1,
  legs: 3,
  hits: 2,
  warnings: 1,
  deliveries: 1,
  commands: 2,
  events: 1,
  controls: 1,
  incoming: 1,
};

export interface EmbeddedParts {
  readonly directory: string;
  readonly log: Log;
  /** Commits and appends are two writes, as on Kafka and Redis. */
  readonly state: State;
  /** The same store, which knows the log: they are one write, as in an embedded platform. */
  readonly oneStore: State;
  /** Partitions that a fault has closed for a while. */
  readonly troubles: readonly LogTrouble[];
  /** The same log as another process has it: with members of its own in the groups. */
  otherLog(): Log;
  close(): Promise<void>;
}

/** The real log and state on LMDB in `directory`. */
export function openEmbedded(directory: string, partitions: Record<Topic, number> = testPartitions): EmbeddedParts {
  const environment = openEnvironment({ directory, mapSizeMax: 4 * 2 ** 30 });
  const troubles: LogTrouble[] = [];
  const openLog = () => createLmdbLog(environment, { partitions, onTrouble: (trouble) => void troubles.push(trouble) });
  const log = openLog();
  const others: Log[] = [];
  const state = createLmdbState(environment);
  return {
    directory,
    log,
    state,
    oneStore: createLmdbState(environment, log),
    troubles,
    otherLog() {
      const other = openLog();
      others.push(other);
      return other;
    },
    close: async () => {
      for (const other of others) await other.close();
      await log.close();
      await state.close();
      await environment.close();
    },
  };
}

/** The same in a directory of its own, which is gone after `remove`. */
export function temporaryEmbedded(partitions?: Record<Topic, number>): EmbeddedParts & { remove(): Promise<void> } {
  const directory = temporaryDirectory();
  const parts = openEmbedded(directory, partitions);
  return {
    ...parts,
    remove: async () => {
      await parts.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'huqi-test-'));
}

/** All events of a topic, partition by partition, in the order of the log. */
export async function eventsOn(log: Log, topic: Topic): Promise<Event[]> {
  const events: Event[] = [];
  for (let partition = 0; partition < log.partitions(topic); partition++) {
    for (const value of await valuesOn(log, topic, partition)) events.push(...decodeEvents(value).events);
  }
  return events;
}

/** The hits of patterns in force and on trial; commands, which stand among them, are left out. */
export async function hitsOn(log: Log): Promise<Event[]> {
  return (await eventsOn(log, 'hits')).filter(({ type }) => type.startsWith('hit.'));
}

export async function valuesOn(log: Log, topic: Topic, partition: number): Promise<Uint8Array[]> {
  const { first, next } = await log.bounds(topic, partition);
  const values: Uint8Array[] = [];
  for (let at = first; at < next;) {
    const batch = await log.read(topic, partition, at, { recordsMax: 1_000, bytesMax: 64 * 2 ** 20 });
    values.push(...batch.records.map(({ value }) => value));
    at = batch.next;
  }
  return values;
}
