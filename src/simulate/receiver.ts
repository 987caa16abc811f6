import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';

export interface ReceiverOptions {
  /** The signing secret for a recipient (the last part of the path, `/hooks/<recipient>`); undefined = unknown. */
  readonly secretFor: (recipient: string) => string | undefined;
  /** 0 takes a free port. */
  readonly port?: number;
  readonly host?: string;
  /** The body's parsed JSON; called once per webhook-id. */
  readonly onWarning?: (event: unknown, recipient: string) => void;
  /** What the recipient did with the payment; sent back, it counts as an acknowledgement. */
  readonly disposition?: 'held' | 'released' | 'contacted';
}

export interface Receiver {
  /** Append the recipient: `${url}/<recipient>`. */
  readonly url: string;
  readonly port: number;
  readonly counts: Readonly<{ received: number; repeats: number; invalid: number }>;
  close(): Promise<void>;
}

const bodyBytesMax = 64 * 1024;
const rememberedIdsMax = 100_000;

/** A small webhook receiver as an enterprise would write it: verifies the signature, drops repeats by webhook-id. */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const counts = { received: 0, repeats: 0, invalid: 0 };
  const seen = new Set<string>();

  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const recipient = decodeURIComponent(request.url?.split('?', 1)[0]?.split('/').pop() ?? '');
    const body = await readText(request);
    const event = body === null ? null : verify(options.secretFor(recipient), body, request);
    if (event === null) {
      counts.invalid++;
      return answer(response, 401, { error: 'the signature does not verify' });
    }
    const id = String(request.headers['webhook-id']);
    if (seen.has(id)) {
      counts.repeats++;
    } else {
      remember(seen, id);
      counts.received++;
      options.onWarning?.(event, recipient);
    }
    answer(response, 200, options.disposition === undefined ? {} : { disposition: options.disposition });
  };

  const server = createServer((request, response) => {
    receive(request, response).catch(() => {
      counts.invalid++;
      response.destroy();
    });
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://${options.host ?? '127.0.0.1'}:${port}/hooks`,
    port,
    counts,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

/** The event, or null where signature, time or body do not hold. */
function verify(secret: string | undefined, body: string, request: IncomingMessage): object | null {
  if (secret === undefined) return null;
  try {
    const event: unknown = new Webhook(secret).verify(body, request.headers as Record<string, string>);
    return typeof event === 'object' ? event : null;
  } catch {
    return null;
  }
}

async function readText(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyBytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** A set keeps the order of insertion: the oldest id goes first. */
function remember(seen: Set<string>, id: string): void {
  seen.add(id);
  if (seen.size <= rememberedIdsMax) return;
  const [oldest] = seen;
  if (oldest !== undefined) seen.delete(oldest);
}
