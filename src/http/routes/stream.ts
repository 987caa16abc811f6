import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Feed, FeedItem } from '../dependencies.js';
import { presentWarning } from '../present.js';
import { Problem } from '../problem.js';
import { streamHeaders, streamQuery } from '../schemas.js';
import { createGate } from '../security.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** Items taken from the log at a time: what one client may have waiting in memory. */
const pageItems = 50;
/** `?from=recent` starts so many items before the end: what the live page shows. */
const recentItems = 500;

/** GET /v1/stream: the live feed as server-sent events. Each client pulls from the log at its own pace. */
export function streamRoutes(app: App, { dependencies, limits, mayGoOn }: RouteContext): { end(): void; count(): number } {
  const { feed } = dependencies;
  const gate = createGate(limits.streamClientsMax);
  const ending = new AbortController();

  app.get(
    '/v1/stream',
    {
      config: { access: 'read', longLived: true },
      schema: {
        summary: 'Live feed (server-sent events); resumes after Last-Event-ID without gap or repeat',
        description:
          '`from`: what to play without Last-Event-ID or `after`: everything kept, the recent 500, or only what is new.',
        querystring: streamQuery,
        headers: streamHeaders,
        response: {
          200: { description: 'text/event-stream', content: { 'text/event-stream': { schema: z.string() } } },
          ...problems,
        },
      },
    },
    async (request, reply) => {
      if (!acceptsEvents(request.headers.accept)) {
        throw new Problem(406, 'not-acceptable', 'This address answers text/event-stream only; for JSON read /v1/warnings.');
      }
      const leave = gate.enter();
      if (!leave) throw new Problem(503, 'busy', `${limits.streamClientsMax} clients are on the stream.`, { retryAfterS: 5 });
      try {
        // The first page is read while a fault can still be answered properly.
        const first = await feed.read(
          await startCursor(feed, request.headers['last-event-id'] ?? request.query.after, request.query.from),
          pageItems,
        );
        const headers = { ...(reply.getHeaders() as OutgoingHttpHeaders), ...eventHeaders };
        reply.hijack();
        reply.raw.writeHead(200, headers);
        await pump(feed, first, reply.raw, { ...limits, ending: ending.signal, mayGoOn: () => mayGoOn(request) });
      } catch (error) {
        if (!reply.raw.headersSent) throw error;
        // The client comes back with Last-Event-ID and is then told what is wrong.
        reply.raw.destroy();
      } finally {
        leave();
      }
    },
  );
  return { end: () => ending.abort(), count: () => gate.inside };
}

const eventHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Asks nginx not to hold events back.
  'x-accel-buffering': 'no',
};

async function startCursor(
  feed: Feed,
  resumed: string | undefined,
  from: 'start' | 'recent' | 'now',
): Promise<string | undefined> {
  if (resumed !== undefined) return resumed;
  if (from === 'start') return undefined;
  return feed.tail(from === 'recent' ? recentItems : 0);
}

interface PumpOptions {
  readonly streamHeartbeatMs: number;
  readonly streamStalledMsMax: number;
  readonly ending: AbortSignal;
  readonly mayGoOn: () => boolean;
}

/** Writes pages of the feed until the client goes, its key does, or the server ends; never more than one page is waiting. */
async function pump(
  feed: Feed,
  first: { items: readonly FeedItem[]; cursor: string },
  raw: ServerResponse,
  { streamHeartbeatMs, streamStalledMsMax, ending, mayGoOn }: PumpOptions,
): Promise<void> {
  const gone = new AbortController();
  const stop = () => gone.abort();
  raw.once('close', stop);
  raw.on('error', stop);
  ending.addEventListener('abort', stop, { once: true });
  if (ending.aborted) stop();
  try {
    raw.write('retry: 1000\n\n');
    let page = first;
    while (!gone.signal.aborted) {
      const hasMore = page.items.length > 0 || (await feed.wait(page.cursor, streamHeartbeatMs, gone.signal));
      // Before every word, and at least with every comment. A client that comes back is told that its key is not known.
      if (gone.signal.aborted || !mayGoOn()) break;
      const text = hasMore ? page.items.map(renderEvent).join('') : ': still here\n\n';
      if (text !== '' && !raw.write(text)) await drained(raw, gone.signal, streamStalledMsMax);
      page = await feed.read(page.cursor, pageItems);
    }
  } finally {
    ending.removeEventListener('abort', stop);
    raw.end();
  }
}

/** Resolves when the client has taken what was written, is gone, or was cut off because it took nothing. */
function drained(raw: ServerResponse, gone: AbortSignal, stalledMsMax: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      raw.off('drain', finish);
      gone.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(() => raw.destroy(), stalledMsMax);
    raw.once('drain', finish);
    gone.addEventListener('abort', finish, { once: true });
    if (gone.aborted) finish();
  });
}

function renderEvent(item: FeedItem): string {
  return `id: ${item.cursor}\nevent: ${item.event}\ndata: ${JSON.stringify(presentWarning(item.warning))}\n\n`;
}

function acceptsEvents(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === '') return true;
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    return !refused && (type === 'text/event-stream' || type === 'text/*' || type === '*/*');
  });
}
