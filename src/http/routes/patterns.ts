import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PatternCommand, PatternOutcome } from '../dependencies.js';
import { createIdempotencyStore } from '../idempotency.js';
import { Problem } from '../problem.js';
import {
  idempotencyHeaders,
  idParams,
  patternActivateBody,
  patternCommandBody,
  patternDecided,
  patternDetail,
  patternDiff,
  patternDiffQuery,
  patternLog,
  patternLogQuery,
  patternQuery,
  patternsAnswer,
  patternSetDiff,
  patternSetDiffQuery,
  patternSetRollbackBody,
  patternsPushBody,
  patternsPushed,
} from '../schemas.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** Many pattern files in one request. */
const pushBytesMax = 8 * 2 ** 20;

/**
 * The life of the patterns. Whoever acts is the holder of the key, never a name in the body: a changed condition comes into
 * force only by the keys of two people.
 */
export function patternRoutes(app: App, { dependencies, now }: RouteContext): void {
  const { patterns } = dependencies;
  const answered = createIdempotencyStore<PatternOutcome>({ entriesMax: 1_000, keepMs: 12 * 3_600_000, now });

  app.get(
    '/v1/patterns',
    { config: { access: 'read' }, schema: { response: { 200: patternsAnswer, ...problems } } },
    async () => {
      const { patternSet, items } = await patterns.list();
      return { patternSet, items: [...items] };
    },
  );

  app.get('/v1/patterns/schema', { config: { access: 'read' }, schema: { hide: true } }, () => patterns.schema());

  app.get(
    '/v1/patterns/log',
    {
      config: { access: 'read' },
      schema: {
        summary: 'Who changed what and why, newest first; page on with `before=next`',
        querystring: patternLogQuery,
        response: { 200: patternLog, ...problems },
      },
    },
    async (request) => patterns.log(request.query),
  );

  app.get(
    '/v1/patterns/diff',
    {
      config: { access: 'read' },
      schema: {
        summary: 'What differs between two sets; left out, between the one before and the one in force',
        querystring: patternSetDiffQuery,
        response: { 200: patternSetDiff, ...problems },
      },
    },
    async (request) =>
      (await patterns.diffSets(request.query.from, request.query.to)) ?? unknown('There is no such set to compare with.'),
  );

  app.get(
    '/v1/patterns/:id',
    {
      config: { access: 'read' },
      schema: { params: idParams, querystring: patternQuery, response: { 200: patternDetail, ...problems } },
    },
    async (request) =>
      (await patterns.get(request.params.id, request.query.version)) ?? unknown('There is no pattern with this id and version.'),
  );

  app.get(
    '/v1/patterns/:id/diff',
    {
      config: { access: 'read' },
      schema: {
        summary: 'What differs between two versions; left out, between the one in force and the one that waits',
        params: idParams,
        querystring: patternDiffQuery,
        response: { 200: patternDiff, ...problems },
      },
    },
    async (request) =>
      (await patterns.diff(request.params.id, request.query.from, request.query.to)) ??
      unknown('There is no pattern with this id and these versions.'),
  );

  app.post(
    '/v1/patterns',
    {
      config: { access: 'write' },
      bodyLimit: pushBytesMax,
      schema: {
        summary: 'Proposes pattern files: they are checked, their examples run, and they wait as drafts',
        headers: idempotencyHeaders,
        body: patternsPushBody,
        response: { 200: patternsPushed, ...problems },
      },
    },
    async (request, reply) => {
      const { files, note } = request.body;
      const outcome = await act(request, { files, note }, (by) => patterns.propose(files, by, note));
      return reply.send(outcome.kind === 'proposed' ? outcome.pushed : refuse(outcome));
    },
  );

  const commanded = { headers: idempotencyHeaders, response: { 200: patternDecided, ...problems } };
  for (const [verb, kind, summary] of [
    ['shadow', 'shadow', 'Runs the proposal, or the version named, beside what is in force: counted, never warned'],
    ['retire', 'retire', 'Takes what is in force, or the version named, out of it'],
    ['rollback', 'rollback', 'Puts the version that was in force before, or the one named, back into force'],
  ] as const) {
    app.post(
      `/v1/patterns/:id/${verb}`,
      { config: { access: 'write' }, schema: { summary, params: idParams, body: patternCommandBody, ...commanded } },
      async (request, reply) => {
        const { version, note } = request.body;
        return decide(request, reply, { kind, pattern: request.params.id, version }, note);
      },
    );
  }
  app.post(
    '/v1/patterns/:id/activate',
    {
      config: { access: 'write' },
      schema: {
        summary: 'Puts this version into force in place of the active one; by somebody else than who proposed it',
        params: idParams,
        body: patternActivateBody,
        ...commanded,
      },
    },
    async (request, reply) => {
      const { version, note } = request.body;
      return decide(request, reply, { kind: 'activate', pattern: request.params.id, version }, note);
    },
  );
  app.post(
    '/v1/patterns/rollback',
    {
      config: { access: 'write' },
      schema: { summary: 'Puts the set before, or the one named, back into force', body: patternSetRollbackBody, ...commanded },
    },
    async (request, reply) => decide(request, reply, { kind: 'rollback-set', set: request.body.set }, request.body.note),
  );

  async function decide(
    request: FastifyRequest,
    reply: FastifyReply,
    command: PatternCommand,
    note: string | undefined,
  ): Promise<FastifyReply> {
    const outcome = await act(request, { command, note }, (by) => patterns.command(command, by, note));
    return reply.send(outcome.kind === 'done' ? outcome.entry : refuse(outcome));
  }

  async function act(
    request: FastifyRequest,
    content: object,
    work: (by: string) => Promise<PatternOutcome>,
  ): Promise<PatternOutcome> {
    const by = request.caller?.name;
    // A route that writes has asked for a key; without a holder nobody would have decided.
    if (by === undefined) throw new Problem(401, 'unauthorized', 'This needs a key: send "Authorization: Bearer <key>".');
    const key = request.headers['idempotency-key'];
    return typeof key === 'string' ? answered.once(`${by}:${key}`, content, () => work(by)) : work(by);
  }
}

function refuse(outcome: PatternOutcome): never {
  switch (outcome.kind) {
    case 'unknown':
      return unknown(`${outcome.reason}.`);
    case 'refused':
      throw new Problem(409, 'conflict', `${outcome.reason}.`);
    case 'broken':
      throw new Problem(422, 'patterns-broken', 'Nothing was changed; the set in force stays. See errors.', {
        errors: [...outcome.errors],
      });
    default:
      throw new TypeError(`a ${outcome.kind} outcome is no refusal`);
  }
}

function unknown(detail: string): never {
  throw new Problem(404, 'not-found', detail);
}
