import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { RequestFault } from './dependencies.js';

/** An answer that is an error, as problem+json (RFC 9457). Thrown by handlers and hooks; never carries internals. */
export class Problem extends Error {
  readonly retriable: boolean;
  constructor(
    readonly status: number,
    /** Last part of the problem's type, kebab-case: `/problems/<kind>`. */
    readonly kind: string,
    detail: string,
    readonly extra: {
      readonly retryAfterS?: number;
      readonly errors?: readonly FieldError[];
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(detail);
    this.name = 'Problem';
    this.retriable = status === 503 || status === 429;
  }
}

export interface FieldError {
  /** JSON pointer into the body, or the parameter's name. */
  readonly pointer: string;
  readonly detail: string;
}

/** Every error of every route leaves through here. */
export function installProblems(app: FastifyInstance, onFault: (fault: RequestFault) => void, operationsOnly?: string): void {
  const routes = collectRoutes(app);
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.status === 500) onFault({ method: request.method, route: request.routeOptions.url ?? '(none)', error });
    return sendProblem(request, reply, problem);
  });
  app.setNotFoundHandler((request, reply) => {
    const problem = operationsOnly === undefined ? unknownRoute(routes, request) : servedElsewhere(operationsOnly);
    return sendProblem(request, reply, problem);
  });
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  const { retryAfterS, errors, headers } = problem.extra;
  if (retryAfterS !== undefined) void reply.header('retry-after', String(retryAfterS));
  if (headers) void reply.headers(headers);
  return reply
    .code(problem.status)
    .type('application/problem+json')
    .serializer((body: unknown) => JSON.stringify(body))
    .send({
      type: `/problems/${problem.kind}`,
      title: STATUS_CODES[problem.status] ?? 'Error',
      status: problem.status,
      detail: problem.message,
      instance: request.url.split('?', 1)[0],
      ...(errors ? { errors } : {}),
    });
}

const known: Readonly<Record<string, readonly [status: number, kind: string, detail: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'body-too-large', 'The body is larger than this route accepts.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'unsupported-media-type', 'Send application/json.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'malformed', 'The body is empty; send a JSON object.'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'malformed', 'The body is not valid JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'malformed', 'Content-Length does not match the body.'],
};

/** What the parts behind the interface refuse by name; their messages are written for the caller. */
const refusals: Readonly<Record<string, (error: Error) => Problem>> = {
  OffsetOutOfRange: () =>
    new Problem(410, 'cursor-gone', 'What came after this cursor is no longer kept. Start again from the first kept item.'),
  CursorUnknown: (error) => new Problem(400, 'cursor-unknown', error.message),
  BodyTooLong: (error) => new Problem(413, 'body-too-large', error.message),
  RecipientRefused: (error) => new Problem(400, 'invalid', error.message),
};

function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const where = error.validationContext ?? 'request';
    const errors = error.validation.map((issue) => ({ pointer: issue.instancePath || '/', detail: issue.message ?? 'invalid' }));
    return new Problem(400, 'invalid', `The ${where} does not have the expected shape; see errors.`, { errors });
  }
  const entry = known[error.code];
  if (entry) return new Problem(...entry);
  const refusal = refusals[error.name];
  if (refusal) return refusal(error);
  if (error.name === 'Unavailable') {
    return new Problem(
      503,
      'unavailable',
      'A store of the platform cannot be reached just now. What was sent may have been kept: send it again, it counts once.',
      { retryAfterS: 2 },
    );
  }
  if ((error as { retriable?: unknown }).retriable === true) {
    return new Problem(503, 'busy', 'The platform cannot take this now; nothing was kept. Send it again.', { retryAfterS: 1 });
  }
  const status = error.statusCode;
  if (status !== undefined && status >= 400 && status < 500) {
    return new Problem(status, 'bad-request', STATUS_CODES[status] ?? 'The request cannot be served.');
  }
  return new Problem(500, 'fault', 'Something failed inside the platform. The fault was recorded; send the request again later.');
}

interface KnownRoute {
  readonly path: RegExp;
  readonly methods: readonly string[];
}

/** Remembers the routes as they are added, so that a wrong method is told from a wrong address. */
function collectRoutes(app: FastifyInstance): KnownRoute[] {
  const routes: KnownRoute[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    if (url.includes('*')) return;
    const path = new RegExp(`^${url.replace(/[.]/g, '\\.').replace(/:[^/]+/g, '[^/]+')}$`);
    routes.push({ path, methods: typeof method === 'string' ? [method] : method });
  });
  return routes;
}

function servedElsewhere(roles: string): Problem {
  return new Problem(
    404,
    'not-served-here',
    `This process runs ${roles} and answers /healthz, /readyz and /metrics only. Ask one that runs http.`,
  );
}

function unknownRoute(routes: readonly KnownRoute[], request: FastifyRequest): Problem {
  const path = request.url.split('?', 1)[0] ?? '/';
  const allowed = [...new Set(routes.filter((route) => route.path.test(path)).flatMap((route) => route.methods))];
  if (allowed.length > 0 && !allowed.includes(request.method)) {
    const allow = allowed.join(', ');
    return new Problem(405, 'method-not-allowed', `This address answers ${allow}, not ${request.method}.`, {
      headers: { allow },
    });
  }
  return new Problem(404, 'not-found', 'There is nothing at this address. The interface is described at /openapi.json.');
}
