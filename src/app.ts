import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createFeedChannel } from './adapters/channel/feed.js';
import { createWebhookChannel } from './adapters/channel/webhook.js';
import { keepFirstKeys } from './app/first-keys.js';
import { httpDependencies } from './app/http-dependencies.js';
import { plainListenError } from './app/listen-error.js';
import { isClustered, openStores } from './app/parts.js';
import { openSeededStore, workingDaysOf } from './app/places.js';
import { openRoleWarehouse, usesWarehouse } from './app/role-warehouse.js';
import { isUsed } from './app/stores.js';
import { loadCatalogue } from './catalogue.js';
import { dayNumber, formatDay } from './domain/bank-day.js';
import { calendarEndMs, calendarNoticeMs } from './domain/calendar.js';
import { presentWarning } from './http/present.js';
import { createHttpServer } from './http/server.js';
import { archiveLag } from './pipeline/archive-positions.js';
import { createBacktestJobs } from './pipeline/backtest-jobs.js';
import type { FirstKeys } from './pipeline/keys.js';
import { createPatternDesk } from './pipeline/pattern-desk.js';
import { reachOf } from './pipeline/pattern-warming.js';
import { deliveriesPending, scoreLag } from './pipeline/positions.js';
import { parseRoutes } from './pipeline/routes-file.js';
import { roles as allRoles, type Pipeline, type Role, runPipeline } from './pipeline/run.js';
import { createStatus, type Status } from './pipeline/status.js';
import { parseWarningPolicy } from './pipeline/warning-policy-file.js';
import type { Settings } from './settings.js';
import { createTelemetry, type TelemetryOptions } from './telemetry/telemetry.js';

export { endCommits } from './adapters/lmdb-environment.js';
export { checkParts } from './app/check-parts.js';
export { firstKeysFile } from './app/first-keys.js';
export { isClustered, openStores, openWarehouse } from './app/parts.js';
export { openKeys, openPatternStore } from './app/places.js';

/** The composition root: this file and `app/` are all that knows which adapter stands behind which port. */

export interface PlatformOptions {
  readonly settings: Settings;
  readonly version: string;
  readonly paths: { readonly config: string; readonly console: string };
  readonly clock: { now(): number };
  /** What this process does; all of it where left out. Needs Kafka and Redis. */
  readonly roles?: ReadonlySet<Role> | undefined;
  /** Origins of receivers of this very process, to which webhooks may go whatever network they are on. */
  readonly webhookMayReach?: ((origin: string) => boolean) | undefined;
  /** Where log lines go. */
  readonly logTo?: TelemetryOptions['destination'] | undefined;
}

export interface Platform {
  readonly url: string;
  readonly pipeline: Pipeline;
  readonly status: Status;
  /** Keys made on the first start; shown this once. */
  readonly firstKeys: FirstKeys | null;
  /** No transaction was ever taken. */
  readonly isEmpty: boolean;
  /** Rejects with the fault that stopped a consumer, or after which nothing can go on. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

/** Starts what this process does. Throws one clear error where something is taken, locked, broken or missing. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { settings, version, paths, clock, roles = new Set(allRoles) } = options;
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    const telemetry = createTelemetry({
      level: settings.telemetry.level,
      now: () => clock.now(),
      latencySamplesMax: settings.telemetry.latencySamplesMax,
      ...(options.logTo ? { destination: options.logTo } : {}),
    });
    const [routesText, policyText] = await Promise.all([
      readFile(settings.dispatch.routesFile, 'utf8'),
      readFile(settings.warn.policyFile, 'utf8'),
    ]);
    const routes = parseRoutes(routesText, settings.dispatch.routesFile);
    const warningPolicy = parseWarningPolicy(policyText, settings.warn.policyFile);
    const openRoleStore = openRoleWarehouse(settings, roles, allRoles.length, (error) => telemetry.warehouseAbsent(error));
    const stores = await openStores(settings, { makes: true, telemetry });
    closers.push(() => stores.close());
    const { log, state } = stores;
    const warehouse = await openRoleStore(state);
    closers.push(() => warehouse.close());
    const { calendar } = await loadCatalogue(paths.config);
    const endMs = calendarEndMs(calendar);
    const lastDay = formatDay(dayNumber(endMs) - 1);
    telemetry.calendarRead({ endMs, lastDay, isOverdue: clock.now() >= endMs - calendarNoticeMs });
    const workingDays = await workingDaysOf(paths.config);
    const patternStore = await openSeededStore(state, workingDays, paths.config, clock.now());
    const webhook = createWebhookChannel({
      fetchTimeoutMs: settings.dispatch.webhookTimeoutMs,
      allowPrivate: settings.dispatch.webhookAllowPrivate,
      mayReach: options.webhookMayReach,
      userAgent: `huqi/${version}`,
      now: () => clock.now(),
      present: presentWarning,
    });
    closers.push(() => webhook.close());
    const isEmpty = !(await isUsed(log));
    const pipeline = await runPipeline({
      log,
      state,
      warehouse,
      patternStore,
      channels: [webhook, createFeedChannel()],
      routes,
      warningPolicy,
      settings,
      telemetry,
      calendar,
      clock,
      random: Math.random,
      randomBytes,
      newId: randomUUID,
      roles,
    });
    closers.push(() => pipeline.close());
    const { score, dispatch } = pipeline;
    const desk = createPatternDesk({
      store: patternStore,
      workingDays,
      reach: () => reachOf(log),
      retentionMs: settings.log.retentionMs,
      clock,
      meter: pipeline.patternMeter,
    });
    const backtests = createBacktestJobs({
      warehouse,
      inForce: async () => (await patternStore.set(await patternStore.currentId()))?.sources ?? [],
      calendar,
      policy: warningPolicy,
      clock,
      newId: randomUUID,
    });
    closers.push(() => backtests.close());
    const setsInForce = async (): Promise<readonly string[]> => score?.patternSets() ?? [await patternStore.currentId()];
    const status = createStatus({
      warehouse,
      telemetry,
      clock,
      settings: settings.status,
      consumers: pipeline.consumers,
      reachState: () => pipeline.marks.get('reach'),
      usesWarehouse: usesWarehouse(roles),
      archiveLag: () => archiveLag({ log, state }),
      scoreLag: () => (score && !isClustered(settings) ? score.lag() : scoreLag({ log, state })),
      scoresHere: score !== null && !isClustered(settings),
      deliveriesPending: () =>
        dispatch && !isClustered(settings) ? Promise.resolve(dispatch.pending()) : deliveriesPending({ log, state }),
      patternSet: async () => (await setsInForce())[0],
      patterns: async () => desk.decided(await setsInForce()),
    });
    const server = await createHttpServer(httpDependencies(pipeline, status, desk, backtests, telemetry), {
      version,
      openReading: settings.http.openReading === 'auto' ? isLoopback(settings.http.host) : settings.http.openReading,
      now: () => clock.now(),
      ...(roles.has('http') ? { consoleDirectory: paths.console } : { operationsOnly: [...roles].join(', ') }),
      limits: {
        bodyBytesMax: settings.http.bodyBytesMax,
        concurrentRequestsMax: settings.http.requestsMax,
        concurrentIntakesMax: settings.intake.bodiesInHandMax,
        concurrentIntakesPerKeyMax: Math.ceil((settings.intake.bodiesInHandMax * settings.http.bodiesPerKeyPercent) / 100),
        bodyBytesPerSecondMin: settings.http.bodyBytesPerSecondMin,
        streamClientsMax: settings.http.streamClientsMax,
      },
    });
    closers.push(() => server.close());
    const { url } = await server.listen(settings.http).catch((error: unknown) => {
      throw plainListenError(error, settings.http);
    });
    // After all that may keep it from starting: they are shown once.
    const firstKeys = roles.has('http') ? await pipeline.keys.ensureFirstKeys(keepFirstKeys(settings.dataDir)) : null;
    telemetry.started({
      version,
      address: url,
      dataDirectory: settings.dataDir,
      parts: [...stores.names, settings.cluster.clickhouseUrl === '' ? 'chdb' : 'clickhouse'],
      roles: [...roles],
    });
    const stops = pipeline.consumers.map(({ done }) => done.then(() => new Promise<never>(() => undefined)));
    const failed = Promise.race([...stops, stores.lost]);
    failed.catch(() => undefined);
    return { url, pipeline, status, firstKeys, isEmpty, failed, close: closeAll };
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
