import type { Command, Connection, Outcome } from './connection.js';
import { ConnectionLost, RedisRefused, ReplyRefused, Unconfirmed } from './faults.js';

export interface CommitQueue {
  /** Resolves with the script's reply once it is on disk where it must be; rejects with what `Outcome` may hold, or `Unconfirmed`. */
  add(command: Command, bytes: number): Promise<unknown>;
}

interface Waiting {
  readonly command: Command;
  readonly bytes: number;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

const groupBytesMax = 16 * 2 ** 20;
const groupCommitsMax = 512;
const waitingBytesMax = 512 * 2 ** 20;
const waitingCommitsMax = 20_000;

/** Group commit: what is asked for while one group is on its way goes out together after it, followed by one wait for the disks. */
export function createCommitQueue(connection: Connection, options: BarrierOptions): CommitQueue {
  const queue: Waiting[] = [];
  let waitingBytes = 0;
  let draining = false;
  const barrier = barrierOf(options);

  async function drain(): Promise<void> {
    draining = true;
    await Promise.resolve(); // lets everything that is asked for in this turn join the first group
    while (queue.length > 0) await sendGroup(takeGroup());
    draining = false;
  }

  function takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of queue) {
      bytes += waiting.bytes;
      if (count > 0 && (bytes > groupBytesMax || count >= groupCommitsMax)) break;
      count++;
    }
    return queue.splice(0, count);
  }

  async function sendGroup(group: readonly Waiting[]): Promise<void> {
    const outcomes = await connection.send([...group.map(({ command }) => command), ...barrier.commands]);
    const unsafe = barrier.fault(connection.server, outcomes.slice(group.length));
    for (const [i, { bytes, resolve, reject }] of group.entries()) {
      waitingBytes -= bytes;
      const outcome = outcomes[i];
      if (!outcome) reject(new ConnectionLost(connection.server, 'the connection was closed'));
      else if (outcome.error) reject(outcome.error);
      else if (unsafe) reject(unsafe);
      else resolve(outcome.reply);
    }
  }

  return {
    add(command, bytes) {
      if (queue.length >= waitingCommitsMax || waitingBytes + bytes > waitingBytesMax)
        return Promise.reject(
          new Unconfirmed(connection.server, `${queue.length} commits of ${waitingBytes} bytes are waiting for it`),
        );
      waitingBytes += bytes;
      return new Promise((resolve, reject) => {
        queue.push({ command, bytes, resolve, reject });
        if (!draining) void drain();
      });
    },
  };
}

interface BarrierOptions {
  readonly waitsForAof: boolean;
  readonly replicasMin: number;
  readonly waitMsMax: number;
}

interface Barrier {
  readonly commands: readonly Command[];
  fault(server: string, outcomes: readonly (Outcome | undefined)[]): Error | undefined;
}

/**
 * With `appendfsync always` a reply comes after the flush. WAITAOF, where there is one, holds that even when somebody changes the
 * setting. Replicas are counted by WAIT, which is those that have received: they tell what they have flushed once a second only, so
 * that WAITAOF would take that long for each group.
 */
function barrierOf({ waitsForAof, replicasMin, waitMsMax }: BarrierOptions): Barrier {
  const flush: Command[] = waitsForAof ? [['WAITAOF', 1, 0, waitMsMax]] : [];
  const replicate: Command[] = replicasMin > 0 ? [['WAIT', replicasMin, waitMsMax]] : [];
  const commands = [...flush, ...replicate];

  function faultOf(server: string, command: Command, outcome: Outcome | undefined): Error | undefined {
    if (!outcome) return new ConnectionLost(server, 'the connection was closed');
    if (outcome.error instanceof ReplyRefused && outcome.error.reply.includes('appendonly is disabled'))
      return new RedisRefused(`Redis ${server} no longer keeps an append-only file: set appendonly yes and start HuQi again.`);
    if (outcome.error) return outcome.error;
    if (command[0] === 'WAITAOF') {
      const [local] = outcome.reply as readonly [number, number];
      return local < 1 ? new Unconfirmed(server, 'its disk does not keep up; look at its log') : undefined;
    }
    const replicas = outcome.reply as number;
    if (replicas >= replicasMin) return undefined;
    const standing = `${replicas} of its replicas have the latest commits and redis.replicasMin is ${replicasMin}`;
    return new Unconfirmed(server, `${standing}; look at INFO replication`);
  }

  return {
    commands,
    fault: (server, outcomes) =>
      commands.map((command, i) => faultOf(server, command, outcomes[i])).find((fault) => fault !== undefined),
  };
}
