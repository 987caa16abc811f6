import { z } from 'zod';
import { maskAccount } from '../../domain/privacy.js';
import type { Recipient } from '../../domain/recipient.js';
import { Problem } from '../problem.js';
import { recipientBody, recipientParams, recipientsAnswer, recipientStored } from '../schemas.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** Who is told, and where. Secrets are shown once, when a recipient is made. */
export function recipientRoutes(app: App, { dependencies }: RouteContext): void {
  const { recipients } = dependencies;

  app.put(
    '/v1/recipients/:id',
    {
      config: { access: 'write' },
      schema: {
        summary: 'Makes or changes a recipient; a new one gets its signing secret, once',
        params: recipientParams,
        body: recipientBody,
        response: { 200: recipientStored, 201: recipientStored, ...problems },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { created, secret } = await recipients.put(id, request.body);
      return reply
        .code(created ? 201 : 200)
        .header('cache-control', 'no-store')
        .send({ id, ...(secret === undefined ? {} : { secret }) });
    },
  );

  app.get(
    '/v1/recipients',
    // Who is warned where is not for open reading.
    { config: { access: 'write' }, schema: { response: { 200: recipientsAnswer, ...problems } } },
    async () => ({ items: (await recipients.list()).map(presentRecipient) }),
  );

  app.delete(
    '/v1/recipients/:id',
    {
      config: { access: 'write' },
      schema: { params: recipientParams, response: { 204: z.null().meta({ description: 'removed' }), ...problems } },
    },
    async (request, reply) => {
      if (!(await recipients.remove(request.params.id)))
        throw new Problem(404, 'not-found', 'There is no recipient with this id.');
      return reply.code(204).send(null);
    },
  );
}

/** A credit code is public, an account is not. An all-digit account of 18 digits is taken for an account. */
const creditCode = /^(?=.*[A-Z])[0-9A-Z]{18}$/;

/** Field by field, so that a secret that came along stays here; the query of an address often holds a token. */
function presentRecipient({ id, kind, match, name, webhook }: Recipient) {
  const url = new URL(webhook.url);
  return {
    id,
    kind,
    match: kind === 'enterprise' && !creditCode.test(match) ? maskAccount(match) : match,
    name,
    webhook: { url: `${url.origin}${url.pathname}` },
  };
}
