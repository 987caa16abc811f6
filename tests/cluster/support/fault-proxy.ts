import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface FaultProxy {
  readonly port: number;
  /** Connections that stand now, and that were ever made. */
  readonly connections: number;
  readonly connectionsMade: number;
  /**
   * The next request whose bytes contain `text` reaches the target; its reply does not come back: the connection is cut instead.
   * `times`: so many requests in a row. Resolves once the last of them was cut off.
   */
  cutReplies(text?: string, times?: number): Promise<void>;
  /** From now on nothing passes, in either direction, and nothing is closed: what is sent is kept and delivered by `resume`. */
  stall(): void;
  /** The same for the connections that stand now; new ones pass. */
  stallStanding(): void;
  /** From now on requests pass and replies vanish, while connections stay open. */
  swallowReplies(): void;
  /** From now on every chunk is so many milliseconds late. */
  delay(ms: number): void;
  /** Ends every connection with a reset. */
  reset(): void;
  /** From now on connections are closed as they come, and those that stand are reset. */
  refuse(): void;
  /** Back to a plain proxy. */
  resume(): void;
  /** Connections from now on go there; those that stand stay. */
  retarget(port: number): void;
  close(): Promise<void>;
}

type Mode = 'pass' | 'stall' | 'swallow' | 'refuse';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  cutting: boolean;
}

/** A TCP proxy on loopback that fails as networks do. It knows nothing of what it carries. */
export async function startFaultProxy({ target }: { target: number }): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  let mode: Mode = 'pass';
  let delayMs = 0;
  let made = 0;
  let targetPort = target;
  let cut: { text: string; left: number; done: () => void } | undefined;

  const listener = createServer((client) => {
    made++;
    if (mode === 'refuse') {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const pair: Pair = { client, server: connect(targetPort, '127.0.0.1'), cutting: false };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      pair.server.destroy();
    };
    for (const socket of [client, pair.server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', end);
    }
    client.on('data', (chunk: Buffer) => {
      if (cut && chunk.includes(cut.text)) pair.cutting = true;
      later(() => pair.server.write(chunk));
    });
    pair.server.on('data', (chunk: Buffer) => {
      if (pair.cutting && cut) {
        const { done } = cut;
        pair.cutting = false;
        cut.left--;
        if (cut.left <= 0) cut = undefined;
        end();
        if (!cut) done();
        return;
      }
      if (mode !== 'swallow') later(() => client.write(chunk));
    });
    if (mode === 'stall') freeze(pair);
  });

  function later(action: () => void): void {
    if (delayMs > 0) setTimeout(action, delayMs);
    else action();
  }

  function freeze({ client, server }: Pair): void {
    client.pause();
    server.pause();
  }

  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;

  const reset = () => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  };

  return {
    port,
    get connections() {
      return pairs.size;
    },
    get connectionsMade() {
      return made;
    },
    cutReplies: (text = '', times = 1) => new Promise((done) => (cut = { text, left: times, done })),
    stall() {
      mode = 'stall';
      for (const pair of pairs) freeze(pair);
    },
    stallStanding() {
      for (const pair of pairs) freeze(pair);
    },
    swallowReplies() {
      mode = 'swallow';
    },
    delay(ms) {
      delayMs = ms;
    },
    reset,
    refuse() {
      mode = 'refuse';
      reset();
    },
    resume() {
      mode = 'pass';
      delayMs = 0;
      cut = undefined;
      for (const { client, server } of pairs) {
        client.resume();
        server.resume();
      }
    },
    retarget(next) {
      targetPort = next;
    },
    async close() {
      reset();
      listener.close();
      await once(listener, 'close');
    },
  };
}
