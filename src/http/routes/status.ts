import { readinessSchema, statusSchema } from '../schemas.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** How the platform is doing: for people (/v1/status), below for orchestrators (/healthz, /readyz) and Prometheus (/metrics). */
export function statusRoutes(app: App, { dependencies }: RouteContext): void {
  app.get(
    '/v1/status',
    { config: { access: 'read' }, schema: { response: { 200: statusSchema, ...problems } } },
    async (_request, reply) => reply.header('cache-control', 'no-store').send(await dependencies.status()),
  );
}

/** What every process answers, whatever else it does. */
export function operationRoutes(app: App, { dependencies }: RouteContext): void {
  // Alive: the process answers, and needs no restart. Whether it can work is /readyz.
  app.get('/healthz', { config: { access: 'open' }, schema: { hide: true } }, (_request, reply) => {
    const troubles = dependencies.health();
    return reply.type('text/plain').send(troubles.length === 0 ? 'ok\n' : `degraded\n${troubles.join('\n')}\n`);
  });

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
