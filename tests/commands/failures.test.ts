import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/embedded.js';
import { failureOf, huqi, type Outcome, sample, startHuqi } from '../support/huqi.js';
import { metricTotal } from '../support/metrics.js';

const directory = temporaryDirectory();
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);
const root = fileURLToPath(new URL('../../', import.meta.url));
const main = join(root, 'dist', 'main.js');

/** Longer than any of these takes, so that one that hangs is ended and shows as killed. */
const patienceMs = 100_000;

/** Another way to run the command: as another user, from another copy, under a limit. */
async function run(command: readonly string[], options: { readonly uid?: number; readonly cwd?: string } = {}): Promise<Outcome> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('HUQI_') && name !== 'NODE_OPTIONS'),
  );
  const identity = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    cwd: options.cwd ?? directory,
    env,
    ...identity,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: patienceMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

const up = (data: string): string[] => ['up', '--no-sample', '--port', '0', '--data', data];
const oneSentence = { code: 1, lines: 1, hasStack: false };

describe('a platform that cannot start says why in one sentence:', () => {
  // Root may write everywhere, so somebody else must try; for that they must be able to read the product.
  const nobody = 65_534;
  const isRoot = process.getuid?.() === 0;
  const isReadable =
    !isRoot || spawnSync(process.execPath, [main, '--version'], { cwd: '/', uid: nobody, gid: nobody }).status === 0;
  it.runIf(isReadable)('the data directory may not be written', async () => {
    mkdirSync(at('read-only'));
    chmodSync(at('read-only'), 0o555);
    chmodSync(directory, 0o755);
    const outcome = await run([process.execPath, main, ...up(at('read-only'))], { cwd: '/', ...(isRoot ? { uid: nobody } : {}) });
    expect(outcome.stderr).toMatch(/^huqi: .*read-only cannot be written \(EACCES\): .*HUQI_DATA_DIR/);
    expect(failureOf(outcome)).toEqual(oneSentence);
  });

  it.runIf(process.platform === 'linux')('the data directory cannot be made', async () => {
    const outcome = await huqi(up('/proc/huqi'));
    expect(outcome.stderr).toMatch(/^huqi: .*\/proc\/huqi cannot be made .*HUQI_DATA_DIR/);
    expect(failureOf(outcome)).toEqual(oneSentence);
  });

  it('the port is taken, and the next start still gives the keys', { timeout: 120_000 }, async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const data = at('first-start');
    const outcome = await huqi(['up', '--no-sample', '--port', String(port), '--data', data]);
    taken.close();
    expect(outcome.stderr).toContain(`127.0.0.1:${port} is taken by another process`);
    expect(outcome.code).toBe(1);
    const next = startHuqi(up(data));
    try {
      await next.printed(/runs at http/);
      await expect.poll(() => existsSync(join(data, 'keys.json')), { timeout: 10_000 }).toBe(true);
    } finally {
      expect((await next.end('SIGTERM')).code).toBe(0);
    }
    expect(JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8'))).toMatchObject({ bank: expect.any(String) as string });
  });

  it('the embedded engine is not installed, while scoring files works without it', { timeout: 300_000 }, async () => {
    const copy = at('copy');
    copyWithoutEngine(copy);
    const program = [process.execPath, join(copy, 'dist', 'main.js')];
    const outcome = await run([...program, ...up(at('no-engine'))]);
    expect(outcome.stderr).toMatch(/^huqi: .*\(chdb\) is not installed here: .*HUQI_CLICKHOUSE_URL/);
    expect(failureOf(outcome)).toEqual(oneSentence);
    const doctor = await run([...program, 'doctor', '--data', at('no-engine')]);
    expect(doctor.stdout).toMatch(/✗ warehouse .*\(chdb\) is not installed here/);
    expect(doctor.code).toBe(1);
    expect(await run([...program, 'score', sample.day])).toMatchObject({ code: 0, stderr: '' });
  });
});

/** The product as it is where the optional package could not be installed; an empty one keeps others from being found further up. */
function copyWithoutEngine(copy: string): void {
  for (const part of ['dist', 'config', 'package.json']) cpSync(join(root, part), join(copy, part), { recursive: true });
  const packages = join(copy, 'node_modules');
  mkdirSync(join(packages, 'chdb'), { recursive: true });
  writeFileSync(join(packages, 'chdb', 'package.json'), '{"name":"chdb","exports":{}}');
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!/^(\.|@?chdb$)/.test(name)) symlinkSync(join(root, 'node_modules', name), join(packages, name));
  }
}

describe('a disk that is full', () => {
  const disk = at('disk');
  const mount = (...options: string[]): boolean =>
    process.platform === 'linux' && spawnSync('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', disk]).status === 0;
  const play = ['up', '--port', '0', '--data', join(disk, 'data'), '--sample-rate', '20000', '--exit-after-sample'];

  it(
    'ends the platform with one sentence, and it goes on from there when there is room',
    { timeout: 300_000 },
    async ({ skip }) => {
      mkdirSync(disk);
      // The tests of the data directory's adapter show the same with a file size limit.
      if (!mount('size=40m')) skip('no disk may be mounted here');
      try {
        const full = await run([process.execPath, main, ...play]);
        expect(full.code, full.stderr).toBe(1);
        const said = full.stderr.split('\n').filter((line) => line.startsWith('huqi: '));
        expect(said).toEqual([expect.stringMatching(/the disk is full.*Free some space and start again/)]);
        expect(mount('remount', 'size=400m')).toBe(true);
        const freed = await run([process.execPath, main, ...play]);
        expect(freed.code, freed.stderr).toBe(0);
        expect(freed.stdout).toMatch(/transactions +28,000 +of 30,721 lines sent\s+reference records +2,711 /);
      } finally {
        spawnSync('umount', [disk]);
      }
    },
  );

  it.runIf(existsSync('/dev/full'))(
    'behind the error output ends nothing: the platform starts, serves and stops',
    { timeout: 120_000 },
    async () => {
      const child = spawn('bash', ['-c', 'exec "$@" 2>/dev/full', 'bash', process.execPath, main, ...up(at('no-log'))], {
        env: { ...process.env, HUQI_LOG_LEVEL: 'debug' },
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: patienceMs,
        killSignal: 'SIGKILL',
      });
      const ended = once(child, 'exit');
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await expect.poll(() => said, { timeout: 60_000 }).toMatch(/runs at http/);
      const url = /runs at (http:\S+)/.exec(said)![1]!;
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    },
  );

  it.runIf(existsSync('/dev/full'))('behind the error output leaves the exit code of a failure as it is', async () => {
    const outcome = await run(['bash', '-c', 'exec "$@" 2>/dev/full', 'bash', process.execPath, main, 'score', at('no-file')]);
    expect(outcome.code).toBe(1);
  });

  it.runIf(process.platform === 'linux')('ends a scoring run whose hits no longer fit, in one sentence', async () => {
    const limited = ['bash', '-c', `trap '' XFSZ; ulimit -f 64; exec "$@"`, 'bash', process.execPath, main];
    const outcome = await run([...limited, 'score', sample.day, '--hits', at('hits.ndjson')]);
    expect(outcome.stderr).toMatch(/^huqi: \S/);
    expect(failureOf(outcome)).toEqual(oneSentence);
  });
});

it('a packed file that is cut off ends a scoring run in one sentence', async () => {
  const packed = readFileSync(sample.day);
  writeFileSync(at('cut.ndjson.gz'), packed.subarray(0, packed.length / 4));
  expect(() => gunzipSync(readFileSync(at('cut.ndjson.gz')))).toThrow();
  const outcome = await huqi(['score', at('cut.ndjson.gz')]);
  expect(outcome.stderr).toMatch(/^huqi: \S/);
  expect(failureOf(outcome)).toEqual(oneSentence);
});

it(
  'a platform asked to stop in the middle of the sample ends, and plays on at the next start',
  { timeout: 300_000 },
  async () => {
    const data = at('asked');
    const first = startHuqi(['up', '--port', '0', '--data', data, '--sample-rate', '3000']);
    const [, url = ''] = await first.printed(/runs at (http:\S+)\n[^]*playing the sample day/);
    await expect.poll(() => metricTotal(url, 'huqi_transactions_scored_total'), { timeout: 60_000 }).toBeGreaterThan(1_000);
    // The sample's own receiver is told, and nothing else on loopback.
    expect(await registerOnLoopback(url, data)).toContain('dispatch.webhookAllowPrivate');
    expect(await first.end('SIGTERM')).toMatchObject({ code: 0 });
    const second = await huqi(['up', '--port', '0', '--data', data, '--sample-rate', '20000', '--exit-after-sample']);
    expect(second.code, second.stderr).toBe(0);
    expect(second.stdout).toMatch(/transactions +28,000 +of 30,721 lines sent\s+reference records +2,711 /);
    expect(second.stdout).toMatch(/deliveries +[1-9][0-9,]* +refused 0, pending 0/);
    const third = startHuqi(['up', '--port', '0', '--data', data]);
    try {
      const [, later = ''] = await third.printed(/runs at (http:\S+)\n/);
      await expect.poll(() => registerOnLoopback(later, data)).toContain('dispatch.webhookAllowPrivate');
    } finally {
      expect(await third.end('SIGTERM')).toMatchObject({ code: 0 });
    }
  },
);

/** What the platform answers. */
async function registerOnLoopback(url: string, data: string): Promise<string> {
  const { centre } = JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8')) as { centre: string };
  const recipient = { kind: 'centre', match: '*', name: 'own', webhook: { url: 'http://127.0.0.1:18499/hook' } };
  const response = await fetch(`${url}/v1/recipients/own`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${centre}`, 'content-type': 'application/json' },
    body: JSON.stringify(recipient),
  });
  return response.text();
}
