import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { LineResult } from '../dependencies.js';
import { jsonArrayToLines, readBody } from '../body.js';
import { Problem } from '../problem.js';
import { lineResultSchema } from '../schemas.js';
import { createSharedGate } from '../security.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** What two addresses that take lines differ in. */
export interface IntakeAddress {
  readonly url: string;
  readonly summary: string;
  readonly description: string;
  /** What a body holds, for messages. */
  readonly holds: string;
  readonly only?: 'references';
}

/** Addresses that take NDJSON, in a scope of their own: here a body is bytes, never parsed or validated by the framework. */
export function intakeRoutes(app: App, { dependencies, limits }: RouteContext, addresses: readonly IntakeAddress[]): void {
  const gate = createSharedGate(limits.concurrentIntakesMax, limits.concurrentIntakesPerKeyMax);

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/x-ndjson', (_request: FastifyRequest, payload: IncomingMessage) =>
    readBody(payload, limits),
  );
  app.addContentTypeParser('application/json', async (_request: FastifyRequest, payload: IncomingMessage) =>
    jsonArrayToLines(await readBody(payload, limits)),
  );
  app.addContentTypeParser('*', () => {
    throw new Problem(
      415,
      'unsupported-media-type',
      'Send application/x-ndjson (one record a line) or application/json (an array).',
    );
  });

  for (const { url, summary, description, holds, only } of addresses) {
    app.post(
      url,
      {
        config: { access: 'intake' },
        schema: {
          summary,
          description,
          consumes: ['application/x-ndjson', 'application/json'],
          response: {
            200: {
              description: 'NDJSON',
              content: { 'application/x-ndjson': { schema: z.union([z.string(), lineResultSchema]) } },
            },
            ...problems,
          },
        },
        // A body in memory costs megabytes: places are taken before it is read.
        onRequest: (request, reply, done) => {
          const leave = gate.enter(request.caller?.id ?? '');
          if (typeof leave === 'string') return done(new Problem(503, 'busy', inTheWay[leave], { retryAfterS: 1 }));
          reply.raw.once('close', leave);
          done();
        },
      },
      async (request, reply) => {
        const { body } = request;
        if (!(body instanceof Uint8Array) || body.length === 0) throw emptyBody(holds);
        const { caller } = request;
        const sender = caller?.role === 'centre' ? 'centre' : 'bank';
        const results = await dependencies.intake.accept(body, { bank: caller?.bank, sender, only });
        if (results.length === 0) throw emptyBody(holds);
        return reply.type('application/x-ndjson').send(renderResults(results));
      },
    );
  }
}

const inTheWay = {
  full: 'Too many bodies are being taken in. Send it again.',
  share: 'Too many bodies of this key are being taken in. Send it again when one of them is answered.',
};

function emptyBody(holds: string): Problem {
  return new Problem(400, 'malformed', `The body holds no ${holds}.`);
}

/** Built by hand: most lines are `accepted`, and a body has thousands of them. */
function renderResults(results: readonly LineResult[]): string {
  let text = '';
  for (const result of results) {
    const { id } = result;
    const isPlain = result.reason === undefined && result.message === undefined && result.field === undefined;
    if (isPlain && id !== undefined && plainId.test(id)) {
      text += `{"line":${result.line},"id":"${id}","status":"${result.status}"}\n`;
    } else {
      text += `${JSON.stringify(result)}\n`;
    }
  }
  return text;
}

/** Needs no escaping in JSON. */
const plainId = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
