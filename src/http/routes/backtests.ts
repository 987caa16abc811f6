import { z } from 'zod';
import type { BacktestView } from '../dependencies.js';
import { Problem } from '../problem.js';
import { idParams } from '../schemas.js';
import type { App, RouteContext } from '../server.js';
import { problems } from './answers.js';

/** Pattern files and labels of one request. */
const bodyBytesMax = 8 * 2 ** 20;

const day = z.iso.date('expected a day such as 2026-06-01').meta({ description: 'in Asia/Shanghai' });

const startBody = z
  .strictObject({
    files: z
      .array(z.strictObject({ file: z.string().min(1).max(200), text: z.string().max(65_536) }))
      .min(1)
      .max(500),
    from: day.optional().meta({ description: 'first day; the oldest where it is left out' }),
    to: day.optional().meta({ description: 'the day after the last; up to the newest where it is left out' }),
    alone: z.boolean().default(false).meta({
      description: 'without the other patterns, many times faster: warnings and levels are those of the drafts by themselves',
    }),
    labels: z
      .array(
        z.strictObject({
          transaction: z.string().min(1).max(64),
          label: z.union([z.literal(0), z.literal(1)]),
          typology: z.string().max(64).default('unnamed'),
          scheme: z.union([z.number(), z.string().max(64)]).optional(),
          accounts: z.array(z.string().max(64)).max(1_000).optional(),
        }),
      )
      .max(100_000)
      .optional(),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
    path: ['to'],
    message: 'expected a day after `from`',
  })
  .meta({ id: 'BacktestRequest' });

const startAnswer = z.object({ id: z.string(), status: z.literal('running') }).meta({ id: 'BacktestStarted' });

const bothCounts = z.object({ inForce: z.int(), draft: z.int() });
const view = z
  .object({
    id: z.string(),
    status: z.enum(['running', 'done', 'failed', 'cancelled']),
    startedAt: z.string(),
    endedAt: z.string().optional(),
    progress: z.object({
      done: z.int(),
      total: z.int().meta({ description: 'records of the history' }),
      transactions: z.int(),
      hits: bothCounts,
    }),
    message: z.string().optional(),
    report: z.record(z.string(), z.unknown()).optional().meta({ description: 'as `huqi patterns backtest --json` prints it' }),
  })
  .meta({ id: 'Backtest' });

/** Only what stands in the file itself: no script, nothing loaded. */
const reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";

/** Tries drafts on the history in the warehouse: one run at a time, kept until the process ends. */
export function backtestRoutes(app: App, { dependencies }: RouteContext): void {
  const { backtests } = dependencies;

  app.post(
    '/v1/backtests',
    {
      bodyLimit: bodyBytesMax,
      config: { access: 'write' },
      schema: {
        summary:
          'Scores the history with these pattern files in place of those in force; answers at once, ask for the outcome by id',
        body: startBody,
        response: { 202: startAnswer, ...problems },
      },
    },
    async (request, reply) => {
      const { files, from, to, labels, alone } = request.body;
      const outcome = await backtests.start({ files, from, to, labels, alone });
      switch (outcome.kind) {
        case 'started':
          return reply
            .code(202)
            .header('location', `/v1/backtests/${outcome.id}`)
            .send({ id: outcome.id, status: 'running' as const });
        case 'busy':
          throw new Problem(409, 'backtest-running', `The backtest ${outcome.id} is running; wait for it or cancel it.`);
        case 'broken':
          throw new Problem(422, 'patterns-broken', 'The pattern files do not load; see errors.', { errors: outcome.errors });
      }
    },
  );

  app.get(
    '/v1/backtests/:id',
    { config: { access: 'read' }, schema: { params: idParams, response: { 200: view, ...problems } } },
    (request) => present(known(backtests.get(request.params.id))),
  );

  app.get(
    '/v1/backtests/:id/report.html',
    { config: { access: 'read' }, schema: { summary: 'The report with plots, one file', params: idParams } },
    async (request, reply) => {
      known(backtests.get(request.params.id));
      const html = await backtests.html(request.params.id);
      if (html === null) throw new Problem(409, 'no-report', 'There is no report: the backtest is not done. Ask for its status.');
      return reply.type('text/html; charset=utf-8').header('content-security-policy', reportPolicy).send(html);
    },
  );

  app.delete(
    '/v1/backtests/:id',
    {
      config: { access: 'write' },
      schema: {
        summary: 'Cancels the backtest that is running',
        params: idParams,
        response: { 204: z.null().meta({ description: 'is being stopped' }), ...problems },
      },
    },
    async (request, reply) => {
      const { status } = known(backtests.get(request.params.id));
      if (!backtests.cancel(request.params.id)) throw new Problem(409, 'not-running', `The backtest is ${status} already.`);
      return reply.code(204).send(null);
    },
  );
}

function known(job: BacktestView | null): BacktestView {
  if (job === null) throw new Problem(404, 'not-found', 'There is no backtest with this id; only the latest few are kept.');
  return job;
}

function present({ report, ...job }: BacktestView) {
  return { ...job, ...(report ? { report: { ...report } as Record<string, unknown> } : {}) };
}
