import { readinessSchema, statusSchema } from '../schemas.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** How the platform is doing: for people (/v1/status), orchestrators (/healthz, /readyz) and Prometheus (/metrics). */
export function statusRoutes(app: App, { dependencies }: RouteContext): void {
  app.get(
    '/v1/status',
    { config: { access: 'read' }, schema: { response: { 200: statusSchema, ...problems } } },
    async (_request, reply) => reply.header('cache-control', 'no-store').send(await dependencies.status()),
  );

  // Alive: the process answers. Whether it can work is /readyz.
  app.get('/healthz', { config: { access: 'open' }, schema: { hide: true } }, (_request, reply) =>
    reply.type('text/plain').send('ok\n'),
  );

  app.get(
    '/readyz',
    { config: { access: 'open' }, schema: { response: { 200: readinessSchema, 503: readinessSchema } } },
    async (_request, reply) => {
      const readiness = await dependencies.readiness();
      return reply.code(readiness.ready ? 200 : 503).send({ ready: readiness.ready, problems: [...readiness.problems] });
    },
  );

  app.get('/metrics', { config: { access: 'read' }, schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await dependencies.metrics()),
  );
}
