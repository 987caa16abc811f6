import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { isClustered } from '../../src/app.js';
import { roles } from '../../src/pipeline/run.js';
import { defaultSettingsFile, environmentName, loadSettings } from '../../src/settings.js';

/** Docker is not needed to see whether the files name settings, parts and files that are there. */

const root = new URL('../../', import.meta.url);
const read = (file: string): string => readFileSync(fileURLToPath(new URL(file, root)), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly healthcheck?: object;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>> | readonly string[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const files = ['docker-compose.yml', 'docker-compose.cluster.yml'];
const compose = (file: string): Compose => parse(read(file), { merge: true }) as Compose;

describe.each(files)('%s', (file) => {
  const { services, volumes } = compose(file);
  const named = Object.entries(services);

  it('opens ports on loopback alone', () => {
    for (const [, { ports = [] }] of named) for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('holds no secret in clear', () => {
    for (const [name, { environment = {} }] of named) {
      for (const [variable, value] of Object.entries(environment)) {
        if (/PASSWORD|SECRET|TOKEN|_KEY$/.test(variable))
          expect([name, variable, value]).toEqual([name, variable, expect.stringMatching(/^\$\{\w+:\?.+\}$/)]);
      }
    }
    expect(read(file)).not.toMatch(/:\/\/[^\s/]+:[^\s/$]+@/);
  });

  it('runs HuQi without rights that it does not need', () => {
    const own = named.filter(([, { image }]) => image.startsWith('huqi:'));
    expect(own.length).toBeGreaterThan(0);
    for (const [name, service] of own) {
      expect([name, service.read_only, service.cap_drop]).toEqual([name, true, ['ALL']]);
    }
  });

  it('names images by version, volumes that are declared, and files that are there', () => {
    for (const [name, { image, volumes: mounts = [] }] of named) {
      expect([name, image]).toEqual([name, expect.stringMatching(/:v?\d+(\.\d+)+$/)]);
      for (const mount of mounts) {
        const [from = ''] = mount.split(':');
        // Made by whoever starts it, see the head of the file.
        if (from === './huqi.key') continue;
        if (from.startsWith('.')) expect([from, existsSync(fileURLToPath(new URL(from, root)))]).toEqual([from, true]);
        else expect(Object.keys(volumes)).toContain(from);
      }
    }
  });

  it('waits for services that there are, and that say when they are healthy', () => {
    for (const [, { depends_on: before = {} }] of named) {
      const waited = Array.isArray(before) ? before : Object.keys(before);
      for (const other of waited as string[]) expect(Object.keys(services)).toContain(other);
      if (Array.isArray(before)) continue;
      for (const [other, { condition }] of Object.entries(before as Readonly<Record<string, { condition: string }>>)) {
        // HuQi's own check is in its image.
        const isChecked = services[other]!.healthcheck !== undefined || services[other]!.build !== undefined;
        expect([other, condition, isChecked]).toEqual([other, 'service_healthy', true]);
      }
    }
  });
});

describe('docker-compose.cluster.yml', () => {
  const { services, networks } = compose('docker-compose.cluster.yml');
  const own = Object.entries(services).filter(([, { image }]) => image.startsWith('huqi:'));
  const stores = Object.entries(services).filter(([, { networks: its = [] }]) => its.every((name) => networks[name]?.internal));

  it('runs every part of HuQi', () => {
    const run = own.flatMap(([, { command = [] }]) => (command.at(-1) ?? '').split(','));
    expect(run.toSorted()).toEqual(roles.toSorted());
    for (const [, { command }] of own) expect(command?.slice(0, 2)).toEqual(['up', '--only']);
  });

  it('gives them settings that there are, of a cluster', () => {
    const names = new Set([
      ...leafPaths(parse(read('config/huqi.yaml')) as object).map(environmentName),
      'HUQI_HOST',
      'HUQI_PORT',
      'HUQI_KAFKA_BROKERS',
      'HUQI_REDIS_URL',
      'HUQI_CLICKHOUSE_URL',
    ]);
    expect(fileURLToPath(new URL('config/huqi.yaml', root))).toBe(defaultSettingsFile);
    for (const [, { environment = {} }] of own) {
      expect(Object.keys(environment).filter((name) => !names.has(name))).toEqual([]);
      const env = Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [name, value.startsWith('${') ? 'secret' : value]),
      );
      expect(isClustered(loadSettings({ env }))).toBe(true);
    }
  });

  it('keeps the stores where nobody outside reaches them, each with a check of its health', () => {
    expect(stores.map(([name]) => name)).toEqual(['kafka-1', 'kafka-2', 'kafka-3', 'redis', 'clickhouse']);
    for (const [, { ports, healthcheck }] of stores) {
      expect(ports).toBeUndefined();
      expect(healthcheck).toBeDefined();
    }
  });

  it('gives Redis the settings without which HuQi refuses it', () => {
    const line = services['redis']!.command!.join(' ');
    for (const setting of [
      'appendonly yes',
      'appendfsync always',
      'no-appendfsync-on-rewrite no',
      'maxmemory-policy noeviction',
    ]) {
      expect(line).toContain(`--${setting}`);
    }
  });

  it('lets Prometheus find every part', () => {
    const { scrape_configs: jobs } = parse(read('config/prometheus/cluster.yml')) as {
      scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[];
    };
    const found = jobs.flatMap(({ dns_sd_configs: names }) => names.flatMap((one) => one.names));
    expect(found.toSorted()).toEqual(own.map(([name]) => name).toSorted());
  });
});

function leafPaths(tree: object, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([key, value]: [string, unknown]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? leafPaths(value, path) : [path];
  });
}

describe('the image', () => {
  const copied = read('Dockerfile')
    .split('\n')
    .flatMap((line) => /^COPY (?!--from)(.+) \S+$/.exec(line)?.[1]?.split(' ') ?? [])
    .map((path) => path.replace(/^\.\//, ''));

  it('is built from files that are there and that the context lets through', () => {
    const letThrough = new Set(
      read('.dockerignore')
        .split('\n')
        .flatMap((line) => /^!(.+)$/.exec(line)?.[1] ?? []),
    );
    expect(copied.length).toBeGreaterThan(4);
    expect(copied.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
    expect(copied.toSorted()).toEqual([...letThrough].toSorted());
  });

  it('has what the build is told to read', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { build: string } };
    const configs = [...scripts.build.matchAll(/--config (\S+)/g)].map(([, file]) => file!);
    expect(configs.length).toBeGreaterThan(0);
    expect(configs.filter((file) => !copied.some((path) => file === path || file.startsWith(`${path}/`)))).toEqual([]);
  });
});
