import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { kafkaJars } from './kafka-jars.js';
import { brokerSettings, kafkaUser, type Ports } from './kafka-settings.js';

export interface Broker {
  readonly id: number;
  /** 0 while it is down. */
  readonly pid: number;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** In order; as `kill` where that takes longer than 20 seconds. */
  stop(): Promise<void>;
  /** Starts it again on the same ports and data; resolves when it answers. */
  start(): Promise<void>;
}

export interface KafkaCluster {
  /** `host:port` of each broker: without encryption or login. */
  readonly bootstrap: string[];
  /** The same with SASL (PLAIN or SCRAM-SHA-256) as `kafkaUser`. */
  readonly saslBootstrap: string[];
  /** Ports of a listener as `bootstrap`, which calls itself by `frontPorts` where they are given: for a proxy before each broker. */
  readonly frontTargets: number[];
  readonly brokers: Broker[];
  /** What the first broker has on disk of a partition from its first record on. */
  readonly segmentOf: (topic: string, partition: number) => Buffer;
  /** Kills all brokers and removes their data. */
  stop(): Promise<void>;
}

export interface KafkaOptions {
  readonly brokers?: 1 | 3;
  /** Settings of the brokers on top of those here. */
  readonly settings?: Record<string, string>;
  /** Ports of proxies to the brokers, in their order; clients that begin there stay there. */
  readonly frontPorts?: readonly number[];
}

const jvmOptions = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
const startMsMax = 90_000;
/** Kills the broker when this process is gone, however it ended: then the pipe to the shell closes. */
const guard =
  'exec 3<&0; "$@" </dev/null & p=$!; (cat <&3 >/dev/null; kill -9 $p) >/dev/null 2>&1 & g=$!; echo $p; wait $p; kill $g';

/** Starts real brokers on loopback, each with its data in a temporary directory. They end with this process at the latest. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const classPath = join(kafkaJars(), '*');
  const directory = mkdtempSync(join(tmpdir(), 'huqi-kafka-'));
  const all = await freePorts(options.brokers ?? 1);
  const clusterId = 'huqi-tests-of-kafka-xx';
  const brokers = all.map((_, i) => createBroker(i + 1, all, join(directory, String(i + 1)), classPath, options));
  const stop = async () => {
    await Promise.all(brokers.map((broker) => broker.kill()));
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    await Promise.all(brokers.map((broker) => broker.format(clusterId)));
    await Promise.all(brokers.map((broker) => broker.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    bootstrap: all.map(({ plain }) => `127.0.0.1:${plain}`),
    saslBootstrap: all.map(({ sasl }) => `127.0.0.1:${sasl}`),
    frontTargets: all.map(({ front }) => front),
    brokers,
    segmentOf: (topic, partition) => readFileSync(join(directory, '1', 'data', `${topic}-${partition}`, `${'0'.repeat(20)}.log`)),
    stop,
  };
}

function createBroker(id: number, all: readonly Ports[], home: string, classPath: string, options: KafkaOptions) {
  const settingsPath = join(home, 'server.properties');
  const logPath = join(home, 'broker.log');
  mkdirSync(home, { recursive: true });
  writeFileSync(settingsPath, brokerSettings(id, all, join(home, 'data'), options));
  let shell: ChildProcess | null = null;
  let pid = 0;

  async function format(clusterId: string): Promise<void> {
    const scram = `SCRAM-SHA-256=[name=${kafkaUser.username},password=${kafkaUser.password}]`;
    const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', settingsPath, '--add-scram', scram];
    await promisify(execFile)('java', [...jvmOptions, '-cp', classPath, ...tool]).catch((error: Error) => {
      throw new Error(`Kafka's storage could not be made: ${error.message.split('\n').slice(0, 5).join(' ')}`);
    });
  }

  async function start(): Promise<void> {
    if (shell) throw new Error(`broker ${id} runs already`);
    const log = openSync(logPath, 'a');
    const java = ['java', ...jvmOptions, '-cp', classPath, 'kafka.Kafka', settingsPath];
    const child = spawn('sh', ['-c', guard, 'sh', ...java], { stdio: ['pipe', 'pipe', log] });
    closeSync(log);
    shell = child;
    void once(child, 'exit').then(() => {
      if (shell !== child) return;
      shell = null;
      pid = 0;
    });
    const [first] = (await once(child.stdout!, 'data')) as [Buffer];
    pid = Number.parseInt(first.toString(), 10);
    child.stdout!.resume();
    const deadline = Date.now() + startMsMax;
    while (!(await answers(all[id - 1]!.plain))) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`broker ${id} did not start: ${readFileSync(logPath, 'utf8').slice(-1_500)}`);
      }
      await sleep(50);
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = shell;
    if (!child || pid === 0) return;
    const gone = once(child, 'exit');
    const broker = pid;
    signalIfThere(broker, signal);
    const timer = setTimeout(() => signalIfThere(broker, 'SIGKILL'), 20_000);
    await gone;
    clearTimeout(timer);
    child.stdin!.destroy();
  }

  return {
    id,
    get pid() {
      return pid;
    },
    format,
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether the broker answers ApiVersions: its port is open before it takes requests. */
async function answers(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  // Length, ApiVersions (18) in version 0, correlation id, no client id.
  const request = Buffer.from('0000000a001200000000000affff', 'hex');
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(1_000) });
    socket.write(request);
    await once(socket, 'data', { signal: AbortSignal.timeout(1_000) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePorts(brokers: number): Promise<Ports[]> {
  const servers = await Promise.all(
    Array.from({ length: brokers * 4 }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return Array.from({ length: brokers }, (_, i) => ({
    plain: ports[i * 4]!,
    sasl: ports[i * 4 + 1]!,
    front: ports[i * 4 + 2]!,
    controller: ports[i * 4 + 3]!,
  }));
}
