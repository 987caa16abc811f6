import { addressText, type RedisAddress, type ServerAddress } from './address.js';
import { createCommitQueue, type CommitQueue } from './commit-queue.js';
import { openConnection, type Connection, type TlsFiles } from './connection.js';
import { assertSafe, inspect, type Inspection } from './inspection.js';

/** One server that may hold the state, over two connections: commits wait for the disk, reads do not wait for commits. */
export interface Server {
  readonly name: string;
  readonly inspection: Inspection;
  readonly reads: Connection;
  readonly commits: CommitQueue;
  /** What this process knows of the slots there: their commits so far. It is read anew from every new connection. */
  readonly slots: Map<string, number>;
  alive(): boolean;
  /** Now and then asks again whether it is safe, and ends the connections when it is not: settings may be changed while it runs. */
  lookAgain(): void;
  /** Called when the connections have ended otherwise than by `end`. */
  onEnd(listener: (why: string) => void): void;
  end(): void;
}

export interface ServerOptions extends Omit<RedisAddress, 'servers'> {
  readonly tlsFiles: TlsFiles;
  readonly replicasMin: number;
  readonly connectMsMax: number;
  readonly replyMsMax: number;
  /** Gives a server that is not safe as well, to look at. */
  readonly unsafeToo?: boolean;
}

const lookEveryMs = 30_000;

export function connectionTo(server: ServerAddress, options: ServerOptions): Promise<Connection> {
  return openConnection({ ...options, server, tls: options.tls ? options.tlsFiles : undefined });
}

/** Connects and asks what it is. A master must be safe; what else it may be is for the caller to judge. */
export async function openServer(address: ServerAddress, options: ServerOptions): Promise<Server> {
  const [reads, writes] = await both(connectionTo(address, options), connectionTo(address, options));
  const end = () => {
    reads.end();
    writes.end();
  };
  try {
    const inspection = await inspect(reads, options.replicasMin);
    if (inspection.master && !options.unsafeToo) assertSafe(inspection);
    const listeners: ((why: string) => void)[] = [];
    for (const connection of [reads, writes])
      connection.onEnd((why) => {
        const told = listeners.splice(0);
        end();
        for (const listener of told) listener(why);
      });
    let lookedAt = performance.now();
    const look = async () => {
      try {
        assertSafe(await inspect(reads, options.replicasMin));
      } catch {
        end(); // who connects next is told why
      }
    };
    return {
      name: addressText(address),
      inspection,
      reads,
      commits: createCommitQueue(writes, {
        waitsForAof: inspection.waitsForAof,
        replicasMin: options.replicasMin,
        waitMsMax: Math.ceil(options.replyMsMax / 2),
      }),
      slots: new Map(),
      alive: () => reads.alive() && writes.alive(),
      lookAgain() {
        if (performance.now() - lookedAt < lookEveryMs) return;
        lookedAt = performance.now();
        void look();
      },
      onEnd: (listener) => void listeners.push(listener),
      end() {
        listeners.length = 0;
        end();
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

/** Both, or neither. */
async function both(first: Promise<Connection>, second: Promise<Connection>): Promise<[Connection, Connection]> {
  const results = await Promise.allSettled([first, second]);
  const [a, b] = results.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
  if (a && b) return [a, b];
  a?.end();
  b?.end();
  throw results.find((result) => result.status === 'rejected')?.reason;
}
