import { rejectedPage, rejectedQuery } from '../schemas.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** GET /v1/rejected: what was not taken and why, for those who help banks to mend what they send. */
export function rejectedRoutes(app: App, { dependencies }: RouteContext): void {
  app.get(
    '/v1/rejected',
    {
      config: { access: 'read' },
      schema: {
        summary: 'Records that were refused, oldest of the latest first; page on with `after=next`',
        querystring: rejectedQuery,
        response: { 200: rejectedPage, ...problems },
      },
    },
    async (request) => {
      const { items, next } = await dependencies.refusals.page(request.query);
      return { items: [...items], next };
    },
  );
}
