import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import fastifyHelmet from '@fastify/helmet';
import fastifyStatic from '@fastify/static';
import fastifySwagger from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { answerClientError } from './client-errors.js';
import type { HttpDependencies } from './dependencies.js';
import { installProblems, Problem } from './problem.js';
import { withRecords } from './record-schemas.js';
import { intakeRoutes } from './routes/intake.js';
import { backtestRoutes } from './routes/backtests.js';
import { patternRoutes } from './routes/patterns.js';
import { recipientRoutes } from './routes/recipients.js';
import { referenceAddress } from './routes/reference.js';
import { operationRoutes, statusRoutes } from './routes/status.js';
import { streamRoutes } from './routes/stream.js';
import { transactionAddress } from './routes/transactions.js';
import { rejectedRoutes } from './routes/rejected.js';
import { warningRoutes } from './routes/warnings.js';
import { installSecurity } from './security.js';

export interface HttpOptions {
  /** Shown in the OpenAPI document. */
  readonly version: string;
  /** Reading needs no key. Only for a server bound to loopback; even then only requests to a loopback name are served. */
  readonly openReading: boolean;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** The built page (`dist/console`); left out, `/` is answered 404. */
  readonly consoleDirectory?: string;
  /** The roles of a process that answers for its own health alone: everything else is answered 404. */
  readonly operationsOnly?: string;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpLimits {
  /** Of POST /v1/transactions and /v1/reference, after decompression. */
  readonly bodyBytesMax: number;
  readonly concurrentRequestsMax: number;
  /** Bodies of transactions in memory at once. */
  readonly concurrentIntakesMax: number;
  /** Of these, those that one key may have: one slow bank leaves places to the others. */
  readonly concurrentIntakesPerKeyMax: number;
  /** A body that comes slower than this over `slowBodyMs` is given up. */
  readonly bodyBytesPerSecondMin: number;
  readonly slowBodyMs: number;
  readonly streamClientsMax: number;
  readonly streamHeartbeatMs: number;
  /** A client that takes nothing for so long is cut off; it resumes by Last-Event-ID. */
  readonly streamStalledMsMax: number;
}

const getOnly = { headers: { allow: 'GET' } };

/** Requests in hand get so long to end when the server closes. */
const closeGraceMs = 10_000;

const defaults: HttpLimits = {
  bodyBytesMax: 16 * 1024 * 1024,
  concurrentRequestsMax: 256,
  concurrentIntakesMax: 64,
  concurrentIntakesPerKeyMax: 16,
  bodyBytesPerSecondMin: 1024,
  slowBodyMs: 5_000,
  streamClientsMax: 256,
  streamHeartbeatMs: 15_000,
  streamStalledMsMax: 60_000,
};

export interface HttpServer {
  /** Port 0 takes a free one. Rejects with the listen error (EADDRINUSE …). */
  listen(address: { host: string; port: number }): Promise<{ url: string; port: number }>;
  /** Ends the streams, lets the requests in hand end. */
  close(): Promise<void>;
  /** Clients on the live stream. */
  streamClients(): number;
}

/** What every route file gets. */
export interface RouteContext {
  readonly dependencies: HttpDependencies;
  readonly limits: HttpLimits;
  readonly now: () => number;
  /** Whether a request that takes long would still be let in. */
  readonly mayGoOn: (request: FastifyRequest) => boolean;
}

export type App = ReturnType<typeof withZod>;

export async function createHttpServer(dependencies: HttpDependencies, options: HttpOptions): Promise<HttpServer> {
  const limits = { ...defaults, ...options.limits };
  const app = withZod(
    fastify({
      logger: false,
      bodyLimit: 64 * 1024,
      requestTimeout: 60_000,
      keepAliveTimeout: 65_000,
      routerOptions: { maxParamLength: 200 },
      clientErrorHandler: (error, socket) => answerClientError(error, socket),
      // Fastify's own plain answer would come before our hooks.
      frameworkErrors: (_error: unknown, request: FastifyRequest, reply: FastifyReply) => {
        void reply
          .code(400)
          .type('application/problem+json')
          .send(JSON.stringify(badAddress(request.url)));
      },
    }),
  );
  const connections = trackIdle(app);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  await app.register(fastifyHelmet, helmetOptions);
  installProblems(app, (fault) => dependencies.onFault(fault), options.operationsOnly);
  const mayGoOn = installSecurity(app, {
    openReading: options.openReading,
    authenticate: (key) => dependencies.authenticate(key),
    concurrentRequestsMax: limits.concurrentRequestsMax,
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const isHead = request.method === 'HEAD' && request.routeOptions.config.longLived === true;
    // Answered as GET is, it would not end before the stream does.
    done(isHead ? new Problem(405, 'method-not-allowed', 'This address answers GET, not HEAD.', getOnly) : undefined);
  });
  await app.register(fastifySwagger, openApiOptions(options.version, options.operationsOnly === undefined));

  const context: RouteContext = { dependencies, limits, now: options.now, mayGoOn };
  operationRoutes(app, context);
  const streams = options.operationsOnly === undefined ? await addInterface(app, context, options) : null;
  await app.ready();

  return {
    async listen({ host, port }) {
      await app.listen({ host, port });
      const address = app.server.address();
      const taken = typeof address === 'object' && address !== null ? address.port : port;
      return { url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`, port: taken };
    },
    async close() {
      streams?.end();
      await closeWithin(app, connections, closeGraceMs);
    },
    streamClients: () => streams?.count() ?? 0,
  };
}

/** All that people, banks and the page use. */
async function addInterface(
  app: App,
  context: RouteContext,
  { consoleDirectory }: HttpOptions,
): Promise<ReturnType<typeof streamRoutes>> {
  const streams = streamRoutes(app, context);
  await app.register(async (scope: FastifyInstance) => {
    scope.addHook('onResponse', (request, reply, done) => {
      if (reply.statusCode === 503 && request.body === undefined) context.dependencies.onTurnedAway();
      done();
    });
    intakeRoutes(withZod(scope), context, [transactionAddress, referenceAddress]);
  });
  warningRoutes(app, context);
  rejectedRoutes(app, context);
  recipientRoutes(app, context);
  statusRoutes(app, context);
  patternRoutes(app, context);
  backtestRoutes(app, context);
  app.get('/openapi.json', { config: { access: 'open' }, schema: { hide: true } }, () => app.swagger());
  await pageRoutes(app, consoleDirectory);
  return streams;
}

/**
 * Which connections serve a request now. Node waits at close for connections that fall idle later, until their keep-alive
 * time-out, and for those that never sent a request at all: these are ended here.
 */
function trackIdle(app: FastifyInstance): { end(): void } {
  const requests = new Map<Socket, number>();
  app.server.on('connection', (socket: Socket) => {
    requests.set(socket, 0);
    socket.once('close', () => requests.delete(socket));
  });
  app.server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    requests.set(socket, (requests.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const running = requests.get(socket);
      if (running !== undefined) requests.set(socket, running - 1);
    });
  });
  return {
    end() {
      for (const [socket, running] of requests) if (running === 0) socket.destroy();
    },
  };
}

async function closeWithin(app: FastifyInstance, connections: { end(): void }, graceMs: number): Promise<void> {
  const idle = setInterval(() => connections.end(), 20);
  const all = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(all);
  }
}

function withZod(app: FastifyInstance) {
  return app.withTypeProvider<ZodTypeProvider>();
}

function badAddress(url: string) {
  const detail = 'The address is not well formed.';
  return { type: '/problems/bad-request', title: 'Bad Request', status: 400, detail, instance: url.split('?', 1)[0] };
}

const helmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  // TLS ends at the proxy in front, which also sets this header.
  strictTransportSecurity: false,
  referrerPolicy: { policy: 'no-referrer' as const },
};

function openApiOptions(version: string, hasRecords: boolean) {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'HuQi 护企',
        version,
        description:
          'Fraud warning for corporate accounts. Money is in fen, times are ISO 8601, lists are paged by cursor, errors are problem+json.',
      },
      components: { securitySchemes: { key: { type: 'http' as const, scheme: 'bearer' } } },
      security: [{ key: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: (document: Parameters<typeof jsonSchemaTransformObject>[0]) =>
      hasRecords ? withRecords(jsonSchemaTransformObject(document)) : jsonSchemaTransformObject(document),
  };
}

/** The page holds no data, so it is open; what it reads is not. */
async function pageRoutes(app: App, directory: string | undefined): Promise<void> {
  if (directory === undefined) return;
  await app.register(fastifyStatic, { root: directory, serve: false, decorateReply: true });
  const route = { config: { access: 'open' as const }, schema: { hide: true } };
  app.get('/', route, (_request, reply) =>
    reply.header('cache-control', 'no-cache').sendFile('index.html', { cacheControl: false }),
  );
  app.get<{ Params: { file: string } }>('/assets/:file', route, (request, reply) => {
    const { file } = request.params;
    if (!/^[\w.-]+\.(js|css|svg|png|woff2)$/.test(file)) throw new Problem(404, 'not-found', 'There is no such file.');
    // Names carry a hash of the content.
    return reply.sendFile(`assets/${file}`, { maxAge: '365d', immutable: true });
  });
}
