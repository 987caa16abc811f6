import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import type { Log, Membership, ReadLimit } from '../ports/log.js';
import type { State } from '../ports/state.js';
import { openWarnPartition } from './warn-partition.js';

/**
 * Groups hits into warnings and listens to what people say about them. The owner of a partition of `hits` also listens to the
 * same partition of `commands` and puts what it hears among the hits, so that the log has settled in which order they came.
 */
export interface WarnSettings {
  readonly limit: ReadLimit;
  /** Days without a change after which the help for telling repetitions apart is removed; the warning itself stays. */
  readonly closeAfterDays: number;
  /** Days without a change after which the warning itself leaves the state store; it stays in the warehouse. */
  readonly keepDays: number;
}

const warnDefaults: WarnSettings = {
  limit: { recordsMax: 64, bytesMax: 2 ** 20 },
  closeAfterDays: 35,
  // 网络安全法 art. 21: records are kept for six months.
  keepDays: 190,
};

interface WarnTelemetry {
  warningRaised(fact: { level: string; family: string; latencyMs: number }): void;
  warningUpdated(fact: { level: string; family: string; latencyMs?: number }): void;
  warningCommandUnread(fact: { partition: number; type: string; warning: string; field: string }): void;
  consumerFailed(fact: { group: string; topic: string; error: unknown }): void;
}

export interface WarnOptions {
  readonly log: Log;
  readonly state: State;
  readonly policy: WarningPolicy;
  readonly clock: { now(): number };
  /** Gives ids that no other process gives: a random UUID. */
  readonly newId: () => string;
  readonly settings?: Partial<WarnSettings>;
  readonly telemetry?: WarnTelemetry;
}

/** Throws `RangeError` when `hits` and `commands` have different numbers of partitions. */
export async function createWarn(options: WarnOptions): Promise<Membership> {
  const { log } = options;
  const [hits, commands] = [log.partitions('hits'), log.partitions('commands')];
  if (hits !== commands) {
    throw new RangeError(`hits has ${hits} partitions and commands ${commands}; give them the same number in the settings`);
  }
  const settings = { ...warnDefaults, ...options.settings };
  const heard = new Map<number, () => number | null>();

  const membership = await log.join('warn', 'hits', async (partition) => {
    const warn = await openWarnPartition({ ...options, settings }, partition);
    heard.set(partition, () => warn.heard());
    return warn.processor;
  });

  async function commandsLag(partition: number): Promise<number> {
    const { first, next } = await log.bounds('commands', partition);
    return next - (heard.get(partition)?.() ?? first);
  }

  return {
    ...membership,
    async lag() {
      const owned = membership.owned() ?? [];
      // Commands first: what was handed on in between is among the hits.
      const commands = await Promise.all(owned.map(({ partition }) => commandsLag(partition)));
      return commands.reduce((sum, lag) => sum + lag, await membership.lag());
    },
  };
}
