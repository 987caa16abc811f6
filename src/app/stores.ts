import type { Log } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Telemetry } from '../telemetry/telemetry.js';

/** What the parts are that a platform stands on. */

export interface Stores {
  readonly log: Log;
  readonly state: State;
  /** What they are, for people: `lmdb`, or `kafka` and `redis`. */
  readonly names: readonly string[];
  /** Rejects with a fault after which nothing can go on, such as a state store that came back empty, or a full disk. Never resolves. */
  readonly lost: Promise<never>;
  close(): Promise<void>;
}

export interface OpenStoresOptions {
  /** Of a data directory: `alone` holds it, so that no other platform runs on it; `beside` reads what one may be writing. */
  readonly access?: 'alone' | 'beside';
  /** Makes the data directory where there is none; otherwise `StoreMissing`. */
  readonly makes?: boolean;
  readonly telemetry?: Pick<Telemetry, 'partitionClosed' | 'stateTroubled' | 'logTroubled'>;
}

/** The settings name parts that do not go together. */
export class PartsMismatch extends Error {
  readonly retriable = false;
  constructor(message: string) {
    super(message);
    this.name = 'PartsMismatch';
  }
}

/** A data directory that holds nothing yet: a mistyped one most of the time. */
export class StoreMissing extends Error {
  readonly retriable = false;
  constructor(directory: string) {
    super(`${directory} holds no HuQi data; check --data or HUQI_DATA_DIR, or make it with: huqi up`);
    this.name = 'StoreMissing';
  }
}

/** Whether any transaction was ever written to it. */
export async function isUsed(log: Pick<Log, 'partitions' | 'bounds'>): Promise<boolean> {
  const partitions = Array.from({ length: log.partitions('transactions') }, (_, partition) => partition);
  const bounds = await Promise.all(partitions.map((partition) => log.bounds('transactions', partition)));
  return bounds.some(({ next }) => next > 0);
}
