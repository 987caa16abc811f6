import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CommandResult, FeedItem, WarningCommand } from '../dependencies.js';
import { createIdempotencyStore } from '../idempotency.js';
import { presentWarning } from '../present.js';
import { Problem } from '../problem.js';
import {
  acknowledgeBody,
  appealBody,
  commandAnswer,
  dispositionBody,
  idempotencyHeaders,
  idParams,
  openWarningsPage,
  presentedWarningSchema,
  warningsPage,
  warningsQuery,
} from '../schemas.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** GET /v1/warnings and the commands that people give on one. */
export function warningRoutes(app: App, { dependencies, now }: RouteContext): void {
  const { warnings } = dependencies;
  const answered = createIdempotencyStore<CommandResult>({ entriesMax: 10_000, keepMs: 12 * 3_600_000, now });

  app.get(
    '/v1/warnings',
    {
      config: { access: 'read' },
      schema: {
        summary: 'Warnings in the order they were raised or changed; page on with `after=next`',
        querystring: warningsQuery,
        response: { 200: warningsPage, ...problems },
      },
    },
    async (request) => {
      const { items, next } = await warnings.page(request.query);
      return { items: items.map(presentItem), next };
    },
  );

  app.get(
    '/v1/warnings/open',
    {
      config: { access: 'read' },
      schema: {
        summary: 'Warnings that nobody has acknowledged, in no order; page on with `after=next` until it is null',
        querystring: warningsQuery,
        response: { 200: openWarningsPage, ...problems },
      },
    },
    async (request) => {
      const { items, next } = await warnings.open(request.query);
      return { items: items.map(presentWarning), next };
    },
  );

  app.get(
    '/v1/warnings/:id',
    { config: { access: 'read' }, schema: { params: idParams, response: { 200: presentedWarningSchema, ...problems } } },
    async (request) => {
      const warning = await warnings.get(request.params.id);
      if (warning === null) throw unknownWarning();
      return presentWarning(warning);
    },
  );

  const commandSchema = { params: idParams, headers: idempotencyHeaders, response: { 200: commandAnswer, ...problems } };

  app.post(
    '/v1/warnings/:id/ack',
    { config: { access: 'write' }, schema: { summary: 'Acknowledges 签收', body: acknowledgeBody, ...commandSchema } },
    async (request, reply) => {
      const { note, by } = request.body;
      return run(request, reply, request.params.id, { kind: 'acknowledge', ...(note === undefined ? {} : { note }) }, by);
    },
  );
  app.post(
    '/v1/warnings/:id/disposition',
    { config: { access: 'write' }, schema: { summary: 'Says what was found 处置', body: dispositionBody, ...commandSchema } },
    async (request, reply) => {
      const { verdict, note, by } = request.body;
      return run(request, reply, request.params.id, { kind: 'dispose', verdict, note }, by);
    },
  );
  app.post(
    '/v1/warnings/:id/appeal',
    { config: { access: 'write' }, schema: { summary: 'Records an appeal 申诉', body: appealBody, ...commandSchema } },
    async (request, reply) =>
      run(request, reply, request.params.id, { kind: 'appeal', text: request.body.text }, request.body.by),
  );

  async function run(
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
    command: WarningCommand,
    by: string | undefined,
  ): Promise<FastifyReply> {
    const caller = request.caller?.name ?? '';
    const who = by === undefined ? caller : `${caller}/${by}`;
    const key = request.headers['idempotency-key'];
    const idempotencyKey = typeof key === 'string' ? `${caller}:${key}` : undefined;
    const act = () => warnings.command(id, command, who, idempotencyKey);
    const result = idempotencyKey === undefined ? await act() : await answered.once(idempotencyKey, { id, command, who }, act);
    return reply.send(toAnswer(result));
  }
}

function toAnswer(result: CommandResult) {
  switch (result.kind) {
    case 'accepted':
      return { status: 'accepted' as const, ...(result.warning ? { warning: presentWarning(result.warning) } : {}) };
    case 'not-found':
      throw unknownWarning();
    case 'conflict':
      throw new Problem(409, 'conflict', result.reason ?? 'The warning is in a state that does not allow this. Read it again.');
  }
}

export function presentItem(item: FeedItem) {
  return { cursor: item.cursor, event: item.event, warning: presentWarning(item.warning) };
}

function unknownWarning(): Problem {
  return new Problem(404, 'not-found', 'There is no warning with this id.');
}
