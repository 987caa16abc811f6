import type { HttpDependencies } from '../http/dependencies.js';
import type { BacktestJobs } from '../pipeline/backtest-jobs.js';
import type { PatternDesk } from '../pipeline/pattern-desk.js';
import type { Pipeline } from '../pipeline/run.js';
import type { Status } from '../pipeline/status.js';
import { patternFileSchema } from '../scoring/completion.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { readMetrics } from './read-metrics.js';

export function httpDependencies(
  pipeline: Pipeline,
  status: Status,
  desk: PatternDesk,
  backtests: BacktestJobs,
  telemetry: Telemetry,
): HttpDependencies {
  const { intake, feed, keys, recipients, refusals, warnings } = pipeline;
  return {
    intake,
    feed,
    refusals,
    recipients,
    warnings: {
      get: (id) => warnings.get(id),
      open: (query) => warnings.open(query),
      command: (id, command, by, idempotencyKey) => warnings.command(id, command, by, idempotencyKey),
      page: async ({ after, limit }) => {
        const { items, cursor } = await feed.read(after, limit);
        return { items, next: cursor };
      },
    },
    patterns: { ...desk, schema: patternFileSchema },
    backtests,
    authenticate: (key) => keys.authenticate(key),
    status: () => status.summary(),
    readiness: () => status.readiness(),
    health: () => status.health(),
    metrics: () => readMetrics(pipeline.consumers, pipeline.score ? desk : null, telemetry),
    onTurnedAway: () => telemetry.intakeBusy('requests'),
    onFault: (fault) => telemetry.requestFailed(fault),
  };
}
