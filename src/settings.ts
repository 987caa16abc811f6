import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jaroWinkler } from '@skyra/jaro-winkler';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { topics, type Topic } from './ports/log.js';
import { type WarehouseTable, warehouseTables } from './ports/warehouse-rows.js';
import { logLevels } from './telemetry/telemetry.js';

const whole = (min: number, max: number) => z.int(`expected a whole number from ${min} to ${max}`).min(min).max(max);
const ms = whole(1, 3_155_760_000_000);
const bytes = whole(1024, 1_073_741_824);
const emptyOrUrl = (protocols: readonly string[]) =>
  z
    .string()
    .refine(
      (text) => text === '' || protocols.some((protocol) => URL.canParse(text) && new URL(text).protocol === `${protocol}:`),
      {
        error: `expected ${protocols.map((protocol) => `${protocol}://host:port`).join(' or ')}, or nothing`,
      },
    );
/** One address, or the nodes of a cluster by commas. */
const redisUrl = z
  .string()
  .regex(
    /^(rediss?:\/\/[^\s,]+(,[^\s,]+)*)?$/,
    'expected redis://host:port or rediss://host:port, more of them by commas, or nothing',
  );
const partitionCounts = z.strictObject(
  Object.fromEntries(topics.map((topic) => [topic, whole(1, 256)])) as Record<Topic, ReturnType<typeof whole>>,
);

/** Empty: none. */
const pemFiles = { caFile: z.string(), certFile: z.string(), keyFile: z.string() };

export const settingsSchema = z.strictObject({
  dataDir: z.string().min(1),
  http: z.strictObject({
    host: z.string().min(1),
    port: whole(0, 65_535),
    openReading: z.union([z.boolean(), z.literal('auto')], { error: 'expected true, false or auto' }),
    bodyBytesMax: bytes,
    bodyBytesPerSecondMin: whole(1, 1_073_741_824),
    bodiesPerKeyPercent: whole(1, 100),
    requestsMax: whole(1, 100_000),
    streamClientsMax: whole(1, 100_000),
    keysPollMs: ms,
  }),
  cluster: z.strictObject({
    kafkaBrokers: z.array(z.string().regex(/^[^\s:]+:\d{1,5}$/, 'expected host:port')),
    redisUrl: redisUrl,
    clickhouseUrl: emptyOrUrl(['http', 'https']),
  }),
  kafka: z.strictObject({
    topicPrefix: z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'expected letters, digits, ., _ or -'),
    replication: whole(0, 100),
    minInsync: whole(0, 100),
    compression: z.enum(['none', 'gzip', 'lz4', 'zstd']),
    sessionTimeoutMs: whole(1_000, 3_600_000),
    deadlineMs: ms,
    sasl: z
      .strictObject({
        mechanism: z.enum(['none', 'plain', 'scram-sha-256', 'scram-sha-512']),
        username: z.string(),
        password: z.string(),
      })
      .refine(({ mechanism, username, password }) => mechanism === 'none' || (username !== '' && password !== ''), {
        path: ['username'],
        error: 'expected a username and a password with this mechanism',
      }),
    tls: z.strictObject({ enabled: z.boolean(), ...pemFiles }),
  }),
  redis: z.strictObject({
    prefix: z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'expected letters, digits, ., _ or -'),
    username: z.string(),
    password: z.string(),
    replicasMin: whole(0, 100),
    deadlineMs: ms,
    ...pemFiles,
  }),
  clickhouse: z.strictObject({
    username: z.string(),
    password: z.string(),
    database: z.string().regex(/^([A-Za-z_][A-Za-z0-9_]{0,63})?$/, 'expected letters, digits or _, or nothing'),
    compression: z.enum(['none', 'gzip']),
    writeMsMax: ms,
    readMsMax: ms,
    insertQuorum: z.union([whole(0, 100), z.literal('auto')], { error: 'expected a number of replicas, or auto' }),
    ...pemFiles,
  }),
  log: z
    .strictObject({ partitions: partitionCounts, retentionMs: ms, trimEveryMs: ms })
    .refine((log) => log.partitions.commands === log.partitions.hits, {
      path: ['partitions', 'commands'],
      error: 'expected the same count as log.partitions.hits: a command must meet its warning',
    }),
  intake: z.strictObject({
    futureMsMax: whole(0, 31_557_600_000),
    linesMax: whole(1, 1_000_000),
    bodiesInHandMax: whole(1, 10_000),
    bytesInHandMax: bytes,
    claimSlots: whole(1, 4096),
    claimDays: whole(1, 36_500),
    claimsMax: whole(1_000, 1_000_000_000),
    readingThreads: whole(0, 64),
    aheadMsMax: whole(0, 60_000),
  }),
  incoming: z.strictObject({
    bank: z.string().regex(/^(\*|[0-9A-Za-z]{3,14})$/, 'expected a bank number, or *'),
    batchRecordsMax: whole(1, 10_000),
    batchBytesMax: bytes,
    retentionMs: ms,
  }),
  score: z.strictObject({
    batchRecordsMax: whole(1, 10_000),
    batchBytesMax: bytes,
    pollMs: ms,
    quarantinedMax: whole(0, 1_000_000),
    threads: z.union([whole(0, 256), z.literal('auto')], { error: 'expected a number of threads, or auto' }),
    snapshotEveryMs: whole(0, 86_400_000),
  }),
  patterns: z.strictObject({
    guardDays: whole(0, 36_500),
    guardTransactionsMin: whole(100, 1_000_000_000),
    guardEveryMs: ms,
    faultsMax: whole(0, 1_000_000_000),
  }),
  warn: z.strictObject({
    policyFile: z.string().min(1),
    batchRecordsMax: whole(1, 10_000),
    batchBytesMax: bytes,
    closeAfterDays: whole(1, 36_500),
    keepDays: whole(1, 36_500),
  }),
  dispatch: z.strictObject({
    routesFile: z.string().min(1),
    batchRecordsMax: whole(1, 10_000),
    batchBytesMax: bytes,
    concurrencyMax: whole(1, 10_000),
    perEndpointMax: whole(1, 1000),
    pendingPerEndpointMax: whole(1, 1_000_000),
    breakAfterFailures: whole(1, 1000),
    restMs: ms,
    attemptTimeoutMs: ms,
    toldKeepMs: ms,
    recipientsPollMs: ms,
    recipientsMax: whole(1, 100_000),
    webhookTimeoutMs: ms,
    webhookAllowPrivate: z.array(z.union([z.cidrv4(), z.cidrv6()], { error: 'expected a network such as 10.20.0.0/16' })),
  }),
  archive: z.strictObject({
    sliceBytesMax: bytes,
    sliceRecordsMax: whole(1, 100_000),
    lingerMs: whole(0, 60_000),
    insertsMax: whole(1, 64),
    retryMsMin: ms,
    retryMsMax: ms,
  }),
  warehouse: z.strictObject({
    ttlDays: z.strictObject(
      Object.fromEntries(warehouseTables.map((table) => [table, whole(0, 36_500)])) as Record<
        WarehouseTable,
        ReturnType<typeof whole>
      >,
    ),
  }),
  feed: z.strictObject({ pageMax: whole(1, 10_000), cachedFramesMax: whole(1, 100_000) }),
  status: z.strictObject({ cacheMs: ms }),
  telemetry: z.strictObject({ level: z.enum(logLevels), latencySamplesMax: whole(100, 1_000_000) }),
});

export type Settings = z.infer<typeof settingsSchema>;
type Partially<T> = {
  readonly [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? Partially<T[K]> : T[K];
};
export type SettingsOverrides = Partially<Settings>;

export interface SettingsProblem {
  /** `http.port` */
  readonly path: string;
  /** What was wrong and what was expected. */
  readonly message: string;
  /** The file, the environment variable or the command line that said so. */
  readonly origin: string;
}

export class SettingsError extends Error {
  readonly retriable = false;
  readonly problems: readonly SettingsProblem[];
  constructor(problems: readonly SettingsProblem[]) {
    const lines = problems.map((problem) => `  ${problem.path || '(file)'}: ${problem.message} [${problem.origin}]`);
    super(`${problems.length === 1 ? 'One setting is wrong' : `${problems.length} settings are wrong`}:\n${lines.join('\n')}`);
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/** The file that ships with every default. */
export const defaultSettingsFile = fileURLToPath(new URL('../config/huqi.yaml', import.meta.url));

const commandLine = 'command line';
const shortNames: Readonly<Record<string, string>> = {
  HUQI_HOST: 'http.host',
  HUQI_PORT: 'http.port',
  HUQI_KAFKA_BROKERS: 'cluster.kafkaBrokers',
  HUQI_REDIS_URL: 'cluster.redisUrl',
  HUQI_CLICKHOUSE_URL: 'cluster.clickhouseUrl',
  HUQI_LOG_LEVEL: 'telemetry.level',
};

/** Variables that are no settings: of commands, of whoever receives webhooks, of tests. */
const otherNames: ReadonlySet<string> = new Set([
  'HUQI_KEY',
  'HUQI_APPROVER_KEY',
  'HUQI_SECRET',
  'HUQI_RELEASE_BEFORE',
  'HUQI_IMAGES',
  'HUQI_TEST_REDIS',
  'HUQI_TEST_VALKEY',
]);
/** So Kubernetes tells every container of a service named `huqi…` beside it. */
const serviceName = /_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)/;
const serviceAddress = /^(tcp|udp|sctp):\/\//;

export interface LoadSettingsOptions {
  /** A file that holds what differs from the defaults. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From the command line. */
  readonly overrides?: SettingsOverrides;
}

/**
 * Defaults, then the file, then the environment, then the command line.
 * Throws `SettingsError` with every mistake at once, each with its path, what was expected and where it was said.
 */
export function loadSettings(options: LoadSettingsOptions): Settings {
  const problems: SettingsProblem[] = [];
  const tree = readTree(defaultSettingsFile, problems) ?? {};
  const paths = leafPaths(tree);
  const origins = new Map<string, string>();
  if (options.file !== undefined) {
    const own = readTree(options.file, problems);
    for (const [path, value] of own ? leaves(own) : []) place(tree, path, value, options.file, origins);
  }
  problems.push(...placeEnvironment(tree, paths, options.env, origins));
  for (const [path, value] of leaves(options.overrides ?? {})) {
    if (value !== undefined) place(tree, path, value, commandLine, origins);
  }
  const parsed = settingsSchema.safeParse(tree);
  if (!parsed.success) problems.push(...parsed.error.issues.flatMap((issue) => problemsOf(issue, origins)));
  if (problems.length > 0 || !parsed.success) throw new SettingsError(problems);
  const { warn, dispatch } = parsed.data;
  return {
    ...parsed.data,
    warn: { ...warn, policyFile: besideItsOrigin(warn.policyFile, origins.get('warn.policyFile')) },
    dispatch: { ...dispatch, routesFile: besideItsOrigin(dispatch.routesFile, origins.get('dispatch.routesFile')) },
  };
}

/** A file named by a settings file lies beside it; named by the environment or the command line, it is found from where one stands. */
function besideItsOrigin(file: string, origin: string | undefined): string {
  if (origin === undefined) return resolve(dirname(defaultSettingsFile), file);
  return origin.startsWith('HUQI_') || origin === commandLine ? resolve(file) : resolve(dirname(origin), file);
}

/** The name of the environment variable for a path: `intake.futureMsMax` → `HUQI_INTAKE_FUTURE_MS_MAX`. */
export function environmentName(path: string): string {
  const words = path.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll('.', '_');
  return `HUQI_${words.toUpperCase()}`;
}

type Tree = { [key: string]: unknown };

function readTree(file: string, problems: SettingsProblem[]): Tree | null {
  try {
    const value: unknown = parseYaml(readFileSync(file, 'utf8'));
    if (value === null) return {};
    if (isTree(value)) return value;
    problems.push({ path: '', message: 'expected settings by section, such as `http:` with `  port: 8080`', origin: file });
  } catch (error) {
    problems.push({
      path: '',
      message: `could not be read: ${error instanceof Error ? error.message : String(error)}`,
      origin: file,
    });
  }
  return null;
}

/** The answer are variables that look like settings and are none. */
function placeEnvironment(
  tree: Tree,
  paths: readonly string[],
  env: LoadSettingsOptions['env'],
  origins: Map<string, string>,
): SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  const pathByName = new Map(paths.map((path) => [environmentName(path), path]));
  for (const [name, path] of Object.entries(shortNames)) pathByName.set(name, path);
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('HUQI_') || text === undefined || text === '') continue;
    const path = pathByName.get(name);
    if (path !== undefined) place(tree, path, fromText(text, valueAt(tree, path)), name, origins);
    else if (!isOthers(name, text)) problems.push(unknownName(name, [...pathByName.keys()]));
  }
  return problems;
}

function isOthers(name: string, text: string): boolean {
  return otherNames.has(name) || serviceName.test(name) || serviceAddress.test(text);
}

function unknownName(name: string, known: readonly string[]): SettingsProblem {
  const word = name.slice('HUQI_'.length);
  const alike = known.map((other) => ({ other, likeness: jaroWinkler(word, other.slice('HUQI_'.length)) }));
  const nearest = alike.reduce((best, one) => (one.likeness > best.likeness ? one : best));
  return { path: name, message: `there is no such setting; the nearest is ${nearest.other}`, origin: 'environment' };
}

/** Text of the environment in the shape of the default: lists by commas, numbers where the default is one or `auto`, booleans. */
function fromText(text: string, shape: unknown): unknown {
  if (Array.isArray(shape)) {
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  }
  if ((typeof shape === 'number' || shape === 'auto') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text;
}

function problemsOf(issue: z.core.$ZodIssue, origins: ReadonlyMap<string, string>): SettingsProblem[] {
  const path = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message, origin: originOf(path, origins) }];
  return issue.keys.map((key) => {
    const full = path === '' ? key : `${path}.${key}`;
    return {
      path: full,
      message: 'there is no such setting; config/huqi.yaml holds all of them',
      origin: originOf(full, origins),
    };
  });
}

function originOf(path: string, origins: ReadonlyMap<string, string>): string {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(at.lastIndexOf('.'), 0))) {
    const origin = origins.get(at);
    if (origin !== undefined) return origin;
  }
  for (const [known, origin] of origins) if (known.startsWith(`${path}.`)) return origin;
  return defaultSettingsFile;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function leaves(tree: object, prefix = ''): [string, unknown][] {
  return Object.entries(tree).flatMap(([key, value]): [string, unknown][] => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return isTree(value) ? leaves(value, path) : [[path, value]];
  });
}

function leafPaths(tree: object): string[] {
  return leaves(tree).map(([path]) => path);
}

function valueAt(tree: Tree, path: string): unknown {
  return path.split('.').reduce<unknown>((at, key) => (isTree(at) ? at[key] : undefined), tree);
}

function place(tree: Tree, path: string, value: unknown, origin: string, origins: Map<string, string>): void {
  const keys = path.split('.');
  if (keys.some((key) => key === '__proto__' || key === 'constructor')) return;
  let at = tree;
  for (const key of keys.slice(0, -1)) {
    const next = at[key];
    const section: Tree = isTree(next) ? next : {};
    at[key] = section;
    at = section;
  }
  at[keys.at(-1) ?? ''] = value;
  origins.set(path, origin);
}
