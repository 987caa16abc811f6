import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultSettingsFile, environmentName, loadSettings, SettingsError } from '../src/settings.js';

const directory = mkdtempSync(join(tmpdir(), 'huqi-settings-'));
const fileWith = (text: string) => {
  const file = join(directory, `${Math.random().toString(36).slice(2)}.yaml`);
  writeFileSync(file, text);
  return file;
};
const problemsOf = (load: () => unknown) => {
  try {
    load();
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  throw new Error('the settings were accepted');
};

describe('settings', () => {
  test('the shipped file is complete and listens on this machine only', () => {
    const settings = loadSettings({ env: {} });
    expect(settings.http).toMatchObject({ host: '127.0.0.1', port: 8080 });
    expect(settings.dataDir).toBe('./data');
    expect(settings.log.partitions).toMatchObject({ transactions: 4, hits: 4, commands: 4, warnings: 1 });
  });

  test('every setting of the shipped file has a line that explains it', () => {
    const lines = readFileSync(defaultSettingsFile, 'utf8').split('\n');
    const settingLines = lines.filter((line) => /^\s*\w+: \S/.test(line) && !/^ {4}\w+: \d+$/.test(line));
    expect(settingLines.length).toBeGreaterThan(40);
    expect(settingLines.filter((line) => !/ # \S/.test(line))).toEqual([]);
  });

  test('a file of one line changes one setting, the environment wins over it, the command line over both', () => {
    const file = fileWith('http: { port: 8081 }\n');
    expect(loadSettings({ file, env: {} }).http).toMatchObject({ port: 8081, host: '127.0.0.1' });
    expect(loadSettings({ file, env: { HUQI_PORT: '8082' } }).http.port).toBe(8082);
    expect(loadSettings({ file, env: { HUQI_PORT: '8082' }, overrides: { http: { port: 8083 } } }).http.port).toBe(8083);
  });

  test('any setting can come from the environment under its path, lists by commas', () => {
    const settings = loadSettings({
      env: {
        HUQI_INTAKE_FUTURE_MS_MAX: '60000',
        HUQI_KAFKA_BROKERS: 'a:9092, b:9092',
        HUQI_DATA_DIR: '/tmp/elsewhere',
        HUQI_LOG_LEVEL: 'debug',
        HUQI_HTTP_OPEN_READING: 'false',
        HUQI_LOG_PARTITIONS_TRANSACTIONS: '8',
        HUQI_SCORE_THREADS: '3',
        HUQI_CLICKHOUSE_INSERT_QUORUM: 'auto',
      },
    });
    expect(settings.intake.futureMsMax).toBe(60_000);
    expect(settings.cluster.kafkaBrokers).toEqual(['a:9092', 'b:9092']);
    expect(settings.dataDir).toBe('/tmp/elsewhere');
    expect(settings.telemetry.level).toBe('debug');
    expect(settings.http.openReading).toBe(false);
    expect(settings.log.partitions.transactions).toBe(8);
    expect(settings.score.threads).toBe(3);
    expect(settings.clickhouse.insertQuorum).toBe('auto');
    expect(environmentName('dispatch.webhookAllowPrivate')).toBe('HUQI_DISPATCH_WEBHOOK_ALLOW_PRIVATE');
  });

  test('all mistakes are told at once, each with its path, what was expected and who said it', () => {
    const file = fileWith('http: { port: 99999, hots: 127.0.0.1 }\narchive: { lingerMs: soon }\n');
    const problems = problemsOf(() =>
      loadSettings({ file, env: { HUQI_REDIS_URL: 'localhost', HUQI_LOG_PARTITIONS_HITS: '2' } }),
    );
    expect(problems.map((problem) => problem.path).sort()).toEqual([
      'archive.lingerMs',
      'cluster.redisUrl',
      'http.hots',
      'http.port',
      'log.partitions.commands',
    ]);
    const byPath = new Map(problems.map((problem) => [problem.path, problem]));
    expect(byPath.get('cluster.redisUrl')).toMatchObject({
      origin: 'HUQI_REDIS_URL',
      message: expect.stringContaining('redis://'),
    });
    expect(byPath.get('archive.lingerMs')).toMatchObject({ origin: file, message: expect.stringContaining('whole number') });
    expect(byPath.get('http.hots')?.message).toContain('no such setting');
  });

  test.each([
    ['HUQI_DATA', 'HUQI_DATA_DIR'],
    ['HUQI_PROT', 'HUQI_PORT'],
    ['HUQI_HTTP_OPENREADING', 'HUQI_HTTP_OPEN_READING'],
    ['HUQI_SCORE_THREAD', 'HUQI_SCORE_THREADS'],
    ['HUQI_CLICKHOUSE_URI', 'HUQI_CLICKHOUSE_URL'],
  ])('the variable %s is refused by its name, and %s is named', (name, nearest) => {
    expect(problemsOf(() => loadSettings({ env: { [name]: '1', HUQI_PORT: '99999' } }))).toEqual([
      { path: name, message: `there is no such setting; the nearest is ${nearest}`, origin: 'environment' },
      expect.objectContaining({ path: 'http.port', origin: 'HUQI_PORT' }),
    ]);
  });

  test('variables of commands, of tests and of Kubernetes are no settings, nor is an empty one', () => {
    const env = {
      HUQI_KEY: 'huqi_bank_x',
      HUQI_APPROVER_KEY: 'huqi_centre_x',
      HUQI_SECRET: 'whsec_x',
      HUQI_RELEASE_BEFORE: '/before',
      HUQI_TEST_REDIS: '/usr/bin/redis-server',
      HUQI_SERVICE_HOST: '10.0.0.1',
      HUQI_SERVICE_PORT_HTTP: '8080',
      HUQI_WEB_PORT: 'tcp://10.0.0.1:8080',
      HUQI_PORT_8080_TCP_ADDR: '10.0.0.1',
      HUQI_PROT: '',
      HOME: '/root',
    };
    expect(loadSettings({ env })).toEqual(loadSettings({ env: {} }));
  });

  test('a file that is missing or no YAML is named in one sentence', () => {
    expect(problemsOf(() => loadSettings({ file: join(directory, 'none.yaml'), env: {} }))[0]?.message).toContain(
      'could not be read',
    );
    expect(problemsOf(() => loadSettings({ file: fileWith('http: [\n'), env: {} }))[0]?.message).toContain('could not be read');
    expect(problemsOf(() => loadSettings({ file: fileWith('just text\n'), env: {} }))[0]?.message).toContain(
      'expected settings by section',
    );
  });
});
