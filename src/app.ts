import { randomBytes, randomUUID } from 'node:crypto';
import { access, chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { constants, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createFeedChannel } from './adapters/channel/feed.js';
import { createWebhookChannel } from './adapters/channel/webhook.js';
import { acquireDataDirectory, DataDirectoryError, openEnvironment } from './adapters/lmdb-environment.js';
import { createLmdbLog } from './adapters/log/lmdb.js';
import { createLmdbState } from './adapters/state/lmdb.js';
import { embeddedEngineVersion, openChdbWarehouse } from './adapters/warehouse/chdb.js';
import { openClickHouseWarehouse } from './adapters/warehouse/clickhouse.js';
import { loadCatalogue } from './catalogue.js';
import { createCalendar } from './domain/calendar.js';
import type { HttpDependencies } from './http/dependencies.js';
import { presentWarning } from './http/present.js';
import { createHttpServer } from './http/server.js';
import { type BacktestJobs, createBacktestJobs } from './pipeline/backtest-jobs.js';
import { createKeys, type FirstKeys, type Keys } from './pipeline/keys.js';
import { createPatternDesk, type PatternDesk } from './pipeline/pattern-desk.js';
import { createPatternStore, type PatternStore, readPatternFiles } from './pipeline/pattern-store.js';
import { reachOf } from './pipeline/pattern-warming.js';
import { parseRoutes } from './pipeline/routes-file.js';
import { type Pipeline, runPipeline } from './pipeline/run.js';
import { createStatus, type Status } from './pipeline/status.js';
import { parseWarningPolicy } from './pipeline/warning-policy-file.js';
import type { Warehouse } from './ports/warehouse.js';
import { patternFileSchema } from './scoring/completion.js';
import type { Settings } from './settings.js';
import { createTelemetry, type Telemetry, type TelemetryOptions } from './telemetry/telemetry.js';

/** The composition root: the only place that knows which adapter stands behind which port. */

export interface PlatformOptions {
  readonly settings: Settings;
  readonly version: string;
  readonly paths: { readonly config: string; readonly console: string };
  readonly clock: { now(): number };
  /** Where log lines go. */
  readonly logTo?: TelemetryOptions['destination'];
}

export interface Platform {
  readonly url: string;
  readonly pipeline: Pipeline;
  readonly status: Status;
  readonly warehouse: Warehouse;
  /** Keys made on the first start; shown this once. */
  readonly firstKeys: FirstKeys | null;
  /** No transaction was ever taken. */
  readonly isEmpty: boolean;
  /** Rejects with the fault that stopped a consumer. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

/** A part that this release does not have. */
export class PartMissing extends Error {
  readonly retriable = false;
  constructor(setting: string, part: string) {
    super(`${setting} is set, but this release runs ${part} embedded only; unset it`);
    this.name = 'PartMissing';
  }
}

/** Starts everything in one process. Throws one clear error where something is taken, locked, broken or missing. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { settings, version, paths, clock } = options;
  if (settings.cluster.kafkaBrokers.length > 0) throw new PartMissing('HUQI_KAFKA_BROKERS', 'the log');
  if (settings.cluster.redisUrl !== '') throw new PartMissing('HUQI_REDIS_URL', 'the state');
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
    const lock = await acquireDataDirectory(settings.dataDir);
    closers.push(() => lock.release());
    const environment = openEnvironment({ directory: settings.dataDir });
    closers.push(() => environment.close());
    const log = createLmdbLog(environment, { partitions: settings.log.partitions, onTrouble: telemetry.partitionClosed });
    const state = createLmdbState(environment);
    closers.push(
      () => log.close(),
      () => state.close(),
    );
    const warehouse = await openWarehouse(settings);
    closers.push(() => warehouse.close());
    await warehouse.migrate();
    const { calendar } = await loadCatalogue(paths.config);
    const workingDays = createCalendar(calendar, { unknownYears: 'weekends' });
    const patternStore = await seededStore(createPatternStore(state, workingDays), paths.config, clock.now());
    const webhook = createWebhookChannel({
      fetchTimeoutMs: settings.dispatch.webhookTimeoutMs,
      allowPrivate: settings.dispatch.webhookAllowPrivate,
      userAgent: `huqi/${version}`,
      now: () => clock.now(),
      present: presentWarning,
    });
    closers.push(() => webhook.close());
    const isEmpty = await isLogEmpty(log);
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
      clock,
      random: Math.random,
      randomBytes,
      newId: randomUUID,
    });
    closers.push(() => pipeline.close());
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
    const status = createStatus({
      warehouse,
      telemetry,
      clock,
      settings: settings.status,
      consumers: pipeline.consumers,
      archive: pipeline.archive,
      dispatch: pipeline.dispatch,
      score: pipeline.score,
      patternSet: () => pipeline.score.stats().patternSets[0],
      patterns: () => desk.decided(pipeline.score.stats().patternSets),
    });
    const server = await createHttpServer(httpDependencies(pipeline, status, desk, backtests, telemetry), {
      version,
      openReading: settings.http.openReading === 'auto' ? isLoopback(settings.http.host) : settings.http.openReading,
      now: () => clock.now(),
      consoleDirectory: paths.console,
      limits: {
        bodyBytesMax: settings.http.bodyBytesMax,
        concurrentRequestsMax: settings.http.requestsMax,
        concurrentIntakesMax: settings.intake.bodiesInHandMax,
        streamClientsMax: settings.http.streamClientsMax,
      },
    });
    closers.push(() => server.close());
    const { url } = await server.listen(settings.http).catch((error: unknown) => {
      throw plainListenError(error, settings.http);
    });
    // After all that may keep it from starting: they are shown once.
    const firstKeys = await pipeline.keys.ensureFirstKeys((keys) => writeFirstKeys(settings.dataDir, keys));
    telemetry.started({
      version,
      address: url,
      dataDirectory: settings.dataDir,
      parts: ['lmdb', settings.cluster.clickhouseUrl === '' ? 'chdb' : 'clickhouse'],
    });
    const failed = Promise.race(pipeline.consumers.map(({ done }) => done.then(() => new Promise<never>(() => undefined))));
    failed.catch(() => undefined);
    return { url, pipeline, status, warehouse, firstKeys, isEmpty, failed, close: closeAll };
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
}

/** Where the first keys stand, readable by the directory's owner only. */
export const firstKeysFile = (dataDir: string): string => join(dataDir, 'keys.json');

async function writeFirstKeys(dataDir: string, keys: FirstKeys): Promise<void> {
  const file = firstKeysFile(dataDir);
  await writeFile(file, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600, flush: true });
  await chmod(file, 0o600);
}

/** A data directory that holds nothing yet: a mistyped one most of the time. */
export class StoreMissing extends Error {
  readonly retriable = false;
  constructor(directory: string) {
    super(`${directory} holds no HuQi data; check --data or HUQI_DATA_DIR, or make it with: huqi up`);
    this.name = 'StoreMissing';
  }
}

export interface OpenStoreOptions {
  /** Makes the directory and seeds it where there is none; otherwise `StoreMissing`. */
  readonly makes?: boolean;
  /** Nothing may run on the directory meanwhile; throws `DataDirectoryError` where a platform does. */
  readonly alone?: boolean;
}

/** The patterns of a data directory, beside a platform that may be running on it. */
export async function openPatternStore(
  settings: Settings,
  configDirectory: string,
  clock: { now(): number },
  { makes = false, alone = false }: OpenStoreOptions = {},
): Promise<{ store: PatternStore; desk: PatternDesk; close(): Promise<void> }> {
  if (settings.cluster.redisUrl !== '') throw new PartMissing('HUQI_REDIS_URL', 'the state');
  if (!makes && !existsSync(join(settings.dataDir, 'huqi.mdb'))) throw new StoreMissing(settings.dataDir);
  const lock = alone ? await acquireDataDirectory(settings.dataDir) : null;
  const environment = openEnvironment({ directory: settings.dataDir });
  const close = async (): Promise<void> => {
    await environment.close();
    await lock?.release();
  };
  try {
    const workingDays = await workingDaysOf(configDirectory);
    const store = createPatternStore(createLmdbState(environment), workingDays);
    await seededStore(store, configDirectory, clock.now());
    const reach = () => reachOf(createLmdbLog(environment, { partitions: settings.log.partitions }));
    return { store, desk: createPatternDesk({ store, workingDays, reach, retentionMs: settings.log.retentionMs, clock }), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The keys of a data directory, beside a platform that may be running on it. Throws `StoreMissing`. */
export async function openKeys(settings: Settings, clock: { now(): number }): Promise<{ keys: Keys; close(): Promise<void> }> {
  if (settings.cluster.redisUrl !== '') throw new PartMissing('HUQI_REDIS_URL', 'the state');
  if (!existsSync(join(settings.dataDir, 'huqi.mdb'))) throw new StoreMissing(settings.dataDir);
  const environment = openEnvironment({ directory: settings.dataDir });
  const state = createLmdbState(environment);
  // Whoever makes it here sees it made; there is no log line to write.
  const keys = await createKeys({ state, clock, randomBytes, telemetry: { keyMade: () => undefined } });
  return { keys, close: () => environment.close() };
}

export interface PartFinding {
  readonly check: string;
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly detail: string;
}

/** Looks at the embedded parts without changing anything: is the data directory usable, free, and is the engine there? */
export async function checkParts(settings: Settings): Promise<PartFinding[]> {
  const look = async (check: string, work: () => Promise<string | PartFinding>): Promise<PartFinding> => {
    try {
      const detail = await work();
      return typeof detail === 'string' ? { check, verdict: 'good', detail } : detail;
    } catch (error) {
      return { check, verdict: 'bad', detail: error instanceof Error ? error.message : String(error) };
    }
  };
  if (!existsSync(settings.dataDir)) {
    const place = await look('directory', async () => {
      let parent = resolve(settings.dataDir);
      while (!existsSync(parent)) parent = dirname(parent);
      if (!(await stat(parent)).isDirectory()) throw new Error(`${parent} is a file; choose another data directory`);
      await access(parent, constants.W_OK | constants.X_OK).catch(() => {
        throw new Error(`${settings.dataDir} cannot be made: ${parent} may not be written by this user`);
      });
      return `${settings.dataDir} is not there yet; the first start makes it`;
    });
    return [place, await look('warehouse', () => warehouseVersion(settings))];
  }
  const directory = await look('directory', async () => {
    const lock = await acquireDataDirectory(settings.dataDir).catch((error: unknown) => {
      if (error instanceof DataDirectoryError && error.retriable) return null;
      throw error;
    });
    await lock?.release();
    return lock ? `${settings.dataDir} is free and can be written` : `${settings.dataDir} is in use by a running platform`;
  });
  const store = await look('store', async () => {
    const environment = openEnvironment({ directory: settings.dataDir });
    try {
      const bounds = await createLmdbLog(environment, { partitions: settings.log.partitions }).bounds('transactions', 0);
      return `LMDB opens; ${bounds.next - bounds.first} records in the first partition of transactions`;
    } finally {
      await environment.close();
    }
  });
  return [directory, store, await look('warehouse', () => warehouseVersion(settings))];
}

async function warehouseVersion(settings: Settings): Promise<string> {
  if (settings.cluster.clickhouseUrl !== '') {
    const remote = openClickHouseWarehouse({ url: settings.cluster.clickhouseUrl });
    try {
      const [row] = await remote.query<{ version: string }>('SELECT version() AS version');
      return `ClickHouse ${row?.version ?? ''} answers`;
    } finally {
      await remote.close();
    }
  }
  return `the embedded ClickHouse engine ${await embeddedEngineVersion()} is installed`;
}

/** The warehouse that the settings name: the embedded one of a data directory, which one process may open, or a server. */
export async function openWarehouse({ cluster, dataDir }: Settings): Promise<Warehouse> {
  return cluster.clickhouseUrl === ''
    ? openChdbWarehouse({ directory: join(dataDir, 'warehouse') })
    : openClickHouseWarehouse({ url: cluster.clickhouseUrl });
}

async function workingDaysOf(configDirectory: string) {
  const { calendar } = await loadCatalogue(configDirectory);
  return createCalendar(calendar, { unknownYears: 'weekends' });
}

async function seededStore(store: PatternStore, configDirectory: string, nowMs: number): Promise<PatternStore> {
  await store.seed(await readPatternFiles(join(configDirectory, 'patterns')), nowMs);
  return store;
}

async function isLogEmpty(log: {
  partitions(topic: 'transactions'): number;
  bounds(topic: 'transactions', partition: number): Promise<{ next: number }>;
}): Promise<boolean> {
  const bounds = await Promise.all(
    Array.from({ length: log.partitions('transactions') }, (_, partition) => log.bounds('transactions', partition)),
  );
  return bounds.every(({ next }) => next === 0);
}

function httpDependencies(
  pipeline: Pipeline,
  status: Status,
  desk: PatternDesk,
  backtests: BacktestJobs,
  telemetry: Telemetry,
): HttpDependencies {
  const { intake, feed, keys, recipients, warnings } = pipeline;
  return {
    intake,
    feed,
    recipients,
    warnings: {
      get: (id) => warnings.get(id),
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
    metrics: async () => {
      for (const consumer of pipeline.consumers) {
        telemetry.consumerLag({ group: consumer.name, topic: consumer.topic, records: await consumer.lag() });
      }
      telemetry.patternsCounted(await desk.counts());
      return telemetry.metrics();
    },
    onFault: (fault) => telemetry.requestFailed(fault),
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function plainListenError(error: unknown, { host, port }: { host: string; port: number }): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const place = `${host}:${port}`;
  if (code === 'EADDRINUSE')
    return new ListenError(
      `${place} is taken by another process; stop it or choose another port with --port or HUQI_PORT`,
      error,
    );
  if (code === 'EACCES') return new ListenError(`${place} may not be opened by this user; choose a port from 1024 on`, error);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new ListenError(`${host} is no address of this machine; set HUQI_HOST`, error);
  return error;
}

export class ListenError extends Error {
  readonly retriable = false;
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ListenError';
  }
}
