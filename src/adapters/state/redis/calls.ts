import { setTimeout as sleep } from 'node:timers/promises';
import { Unavailable } from '../../../ports/unavailable.js';
import {
  ConnectionLost,
  isPassing,
  leaves,
  passes,
  reasonOf,
  RedisRefused,
  StoreLost,
  type ReplyRefused,
  type Unconfirmed,
} from './faults.js';
import type { RedisTrouble } from './options.js';
import type { Server } from './server.js';
import type { Servers } from './servers.js';

export interface Calls {
  /**
   * Gives `work` the server of the key, again and again while what goes wrong passes, until the deadline. `work` may run several
   * times. Rejects with `Unavailable`, or at once with what does not pass.
   */
  run<T>(key: string, deadlineMs: number, work: (server: Server) => Promise<T>): Promise<T>;
  readonly troubles: Troubles;
  /** Ends what is under way after its present attempt. */
  close(): Promise<void>;
}

const pauseMsMin = 20;
const pauseMsMax = 1_000;

export function createCalls(servers: () => Promise<Servers>, troubles: Troubles): Calls {
  let closed = false;
  let fatal: StoreLost | undefined;
  const under = new Set<Promise<unknown>>();

  async function run<T>(key: string, deadlineMs: number, work: (server: Server) => Promise<T>): Promise<T> {
    const deadline = performance.now() + deadlineMs;
    let last: ConnectionLost | ReplyRefused | Unconfirmed | undefined;
    for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
      if (closed) throw new Error('state: it is closed; open it again before using it');
      if (fatal) throw fatal;
      try {
        return await before(deadline, () => attempt(key, work));
      } catch (error) {
        if (error instanceof StoreLost) {
          if (!fatal) troubles.tell({ kind: 'fatal', server: error.server, error });
          fatal ??= error;
        }
        if (error === late) throw unavailable(last ?? late, deadlineMs);
        if (!passes(error)) throw error;
        troubles.note(error);
        last = error;
        // Half of the pause by chance, so that processes that lost the same server do not all come back at once.
        const waitMs = pauseMs * (0.5 + Math.random() / 2);
        if (performance.now() + waitMs > deadline) throw unavailable(error, deadlineMs);
        await sleep(waitMs);
      }
    }
  }

  async function attempt<T>(key: string, work: (server: Server) => Promise<T>): Promise<T> {
    const found = await servers();
    const server = await found.serverOf(key);
    try {
      return await work(server);
    } catch (error) {
      if (error instanceof ConnectionLost || leaves(error)) found.forget(server);
      throw error;
    }
  }

  return {
    troubles,
    async run(key, deadlineMs, work) {
      const running = run(key, deadlineMs, work);
      under.add(running);
      try {
        return await running;
      } finally {
        under.delete(running);
      }
    },
    async close() {
      closed = true;
      await Promise.allSettled(under);
    },
  };
}

const late = new ConnectionLost('', 'there was no reply');

/** An attempt that does not end by itself is left to itself. */
async function before<T>(deadline: number, start: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late), Math.max(0, deadline - performance.now()));
  });
  try {
    return await Promise.race([start(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function unavailable(cause: ConnectionLost | ReplyRefused | Unconfirmed, deadlineMs: number): Unavailable {
  const server = cause.server === '' ? 'Redis' : `Redis ${cause.server}`;
  return new Unavailable(
    `${server} could not be used for ${deadlineMs / 1_000} s: ${reasonOf(cause)}. What was asked for may or may not have happened.`,
    { cause },
  );
}

/** What a server answered: what passes as it is, anything else as one sentence for a person. */
export function refusalOf(error: ReplyRefused | ConnectionLost): Error {
  if (error instanceof ConnectionLost || isPassing(error.code)) return error;
  if (error.code === 'NOPERM' || error.reply.includes('user executing the script'))
    return new RedisRefused(
      `Redis ${error.server} lets this user do too little (${error.reply}): give it the rights of docs/cluster.md.`,
    );
  if (error.code === 'WRONGTYPE')
    return new RedisRefused(`Redis ${error.server}: another program uses a key of HuQi's; give HuQi a redis.prefix of its own.`);
  return new RedisRefused(`Redis ${error.server} refuses a command of HuQi's: ${error.reply}.`);
}

export interface Troubles {
  tell(trouble: RedisTrouble): void;
  /** Told once in a while for each reason. */
  note(error: Error & { readonly server: string }): void;
  /** A connection is there. */
  admitted(server: Server): void;
}

const noteEveryMs = 5_000;
const notesMax = 1_000;

export function createTroubles(onTrouble: (trouble: RedisTrouble) => void): Troubles {
  const noted = new Map<string, number>();
  let troubled = false;
  const note: Troubles['note'] = (error) => {
    troubled = true;
    const now = performance.now();
    if (now - (noted.get(error.message) ?? -Infinity) < noteEveryMs) return;
    if (noted.size >= notesMax) noted.clear();
    noted.set(error.message, now);
    onTrouble({ kind: error instanceof ConnectionLost ? 'lost' : 'refused', server: error.server, error });
  };
  return {
    tell: onTrouble,
    note,
    admitted(server) {
      if (troubled) onTrouble({ kind: 'recovered', server: server.name });
      troubled = false;
      server.onEnd((why) => note(new ConnectionLost(server.name, why)));
    },
  };
}
