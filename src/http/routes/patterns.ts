import { Problem } from '../problem.js';
import { idParams, patternDetail, patternsAnswer } from '../schemas.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** The patterns in force and in trial, as the pattern set holds them. */
export function patternRoutes(app: App, { dependencies }: RouteContext): void {
  app.get(
    '/v1/patterns',
    { config: { access: 'read' }, schema: { response: { 200: patternsAnswer, ...problems } } },
    async () => ({
      items: [...(await dependencies.patterns.list())],
    }),
  );

  app.get(
    '/v1/patterns/:id',
    { config: { access: 'read' }, schema: { params: idParams, response: { 200: patternDetail, ...problems } } },
    async (request) => {
      const pattern = await dependencies.patterns.get(request.params.id);
      if (pattern === null) throw new Problem(404, 'not-found', 'There is no pattern with this id.');
      return { ...pattern, audience: [...pattern.audience] };
    },
  );
}
