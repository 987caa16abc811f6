import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  CompressionTypes,
  ConfigResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LogBatch } from '../../src/ports/log.js';
import { checkKafka, createKafkaLog, type KafkaLog, type KafkaLogOptions } from '../../src/adapters/log/kafka.js';
import { startScript, type Child } from '../contracts/child-process.js';
import { contractPartitions } from '../contracts/log.contract.js';
import { startKafka, type KafkaCluster } from './support/kafka-broker.js';
import { temporaryDirectory } from '../support/embedded.js';
import { kafkaUser } from './support/kafka-settings.js';

const childPath = fileURLToPath(new URL('support/kafka-child.ts', import.meta.url));
const limit = { recordsMax: 1_000, bytesMax: 1_000_000 };
const text = (value: Uint8Array) => Buffer.from(value).toString();
const eventually = (check: () => void) => expect.poll(() => attempt(check), { timeout: 60_000, interval: 20 }).toBe('ok');

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

const logs: KafkaLog[] = [];
const children: Child[] = [];
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  await Promise.all(logs.splice(0).map((log) => log.close()));
});

const freshOptions = (): KafkaLogOptions => ({
  brokers: kafka.bootstrap,
  partitions: contractPartitions,
  topicPrefix: `t${randomUUID().slice(0, 8)}`,
  sessionTimeoutMs: 4_000,
});
async function openLog(options: KafkaLogOptions): Promise<KafkaLog> {
  const log = await createKafkaLog(options);
  logs.push(log);
  return log;
}
function child(task: string, options: KafkaLogOptions): Child {
  const started = startScript(childPath, [task, JSON.stringify(options)]);
  children.push(started);
  return started;
}
const foreignClient = () => new Kafka({ brokers: kafka.bootstrap, logLevel: logLevel.NOTHING });
const sentenceOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'nothing was wrong',
    (error: Error) => error.message,
  );

describe('who works on what', () => {
  it("gives a killed process's partitions to the other one after the session, and does not reopen what that one has", async () => {
    const options = freshOptions();
    const log = await openLog(options);
    const opened: string[] = [];
    const member = await log.join('shared', 'hits', async (partition) => {
      opened.push(`opens ${partition}`);
      return {
        start: 'earliest',
        limit,
        process: async () => undefined,
        close: async () => void opened.push(`closes ${partition}`),
      };
    });
    await eventually(() => expect(member.owned()).toHaveLength(4));
    const other = child('consume', options);
    await other.printed(2);
    await eventually(() => expect(member.owned()?.every(({ isOpen }) => isOpen) && member.owned()?.length).toBe(2));
    const kept = member.owned()!.map(({ partition }) => partition);
    const moved = [0, 1, 2, 3].filter((partition) => !kept.includes(partition));
    expect([...other.lines].sort()).toEqual(moved.map((partition) => `opens ${partition}`));
    await other.kill();
    await eventually(() => expect(member.owned()?.every(({ isOpen }) => isOpen) && member.owned()?.length).toBe(4));
    for (const partition of kept) expect(opened.filter((line) => line === `opens ${partition}`)).toHaveLength(1);
    for (const partition of moved) expect(opened.filter((line) => line === `opens ${partition}`)).toHaveLength(2);
    expect(opened.filter((line) => line.startsWith('closes')).sort()).toEqual(moved.map((partition) => `closes ${partition}`));
  });

  describe('on one machine', () => {
    const directory = temporaryDirectory();
    afterAll(() => rmSync(directory, { recursive: true, force: true }));
    /** So long a session that nobody gets a partition by its end. */
    const patient = (): KafkaLogOptions => ({ ...freshOptions(), sessionTimeoutMs: 60_000, membersDirectory: directory });
    const nothing = { start: 'earliest', limit, process: async () => undefined, close: async () => undefined } as const;

    it('does not wait for the session of a killed process where another one runs', async () => {
      const options = patient();
      const events: string[] = [];
      const log = await openLog({ ...options, onEvent: ({ kind }) => events.push(kind) });
      const member = await log.join('shared', 'hits', async () => nothing);
      const other = child('consume', options);
      await other.printed(2);
      await eventually(() => expect(member.owned()?.every(({ isOpen }) => isOpen) && member.owned()?.length).toBe(2));
      const killedAt = performance.now();
      await other.kill();
      await eventually(() => expect(member.owned()?.every(({ isOpen }) => isOpen) && member.owned()?.length).toBe(4));
      expect(performance.now() - killedAt).toBeLessThan(10_000);
      expect(events).toEqual(['memberDismissed']);
      // All that is left there is this member's own.
      expect(readdirSync(directory)).toHaveLength(1);
      await member.leave();
      expect(readdirSync(directory)).toEqual([]);
    });

    it('nor where it is started again', async () => {
      const options = patient();
      const first = child('consume', options);
      await first.printed(4);
      await first.kill();
      const startedAt = performance.now();
      const log = await openLog(options);
      const member = await log.join('shared', 'hits', async () => nothing);
      await eventually(() => expect(member.owned()?.every(({ isOpen }) => isOpen) && member.owned()?.length).toBe(4));
      expect(performance.now() - startedAt).toBeLessThan(10_000);
    });

    it('leaves a process that only stands still its partitions', async () => {
      const options = patient();
      const log = await openLog(options);
      const member = await log.join('shared', 'hits', async () => nothing);
      const frozen = child('consume', options);
      await frozen.printed(2);
      await eventually(() => expect(member.owned()).toHaveLength(2));
      frozen.signal('SIGSTOP');
      await sleep(6_000);
      expect(member.owned()).toHaveLength(2);
      frozen.signal('SIGCONT');
    });
  });

  it('opens a partition that has moved only when its first owner has closed it, and what is closed sooner does not wait', async () => {
    const log = await openLog(freshOptions());
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const events: string[] = [];
    const join = (name: string) =>
      log.join('g', 'hits', async (partition) => {
        events.push(`${name} opens ${partition}`);
        return {
          start: 'earliest',
          limit,
          process: () => gate,
          close: async () => void events.push(`${name} closes ${partition}`),
        };
      });
    await log.append([{ topic: 'hits', partition: 3, value: Buffer.from('takes long') }]);
    const first = await join('first');
    await eventually(() => expect(events).toHaveLength(4));
    const second = await join('second');
    await eventually(() => expect(events.slice(4)).toEqual(['first closes 2', 'second opens 2']));
    await sleep(2_500);
    expect(events).toHaveLength(6);
    release();
    await eventually(() => expect(events.slice(6)).toEqual(['first closes 3', 'second opens 3']));
    await Promise.all([first.leave(), second.leave()]);
  });

  it('begins no batch in a process that stood still for longer than the session, before it is a member again', async () => {
    const options = freshOptions();
    const log = await openLog(options);
    const seen: string[] = [];
    const member = await log.join('shared', 'hits', async () => ({
      start: 'earliest',
      limit,
      process: async ({ records }) => void seen.push(...records.map(({ value }) => text(value))),
      close: async () => undefined,
    }));
    const frozen = child('consume', options);
    await frozen.printed(2);
    await eventually(() => expect(member.owned()).toHaveLength(2));
    frozen.signal('SIGSTOP');
    await eventually(() => expect(member.owned()).toHaveLength(4));
    await log.append([0, 1, 2, 3].map((partition) => ({ topic: 'hits', partition, value: Buffer.from(`late ${partition}`) })));
    await eventually(() => expect(seen).toHaveLength(4));
    frozen.signal('SIGCONT');
    await frozen.printed(6);
    // It closes what it had, then opens what it is given, then works again.
    expect(frozen.lines.slice(0, 6).map((line) => line.replace(/\d/g, '').trim())).toEqual([
      ...Array(2).fill('opens'),
      ...Array(2).fill('closes'),
      ...Array(2).fill('opens'),
    ]);
    await frozen.printed(8);
    expect(frozen.lines.slice(6).every((line) => line.includes('late'))).toBe(true);
    await member.leave();
  });

  it('keeps the positions of a group for lag tools', async () => {
    const log = await openLog(freshOptions());
    await log.append(['a', 'b', 'c'].map((value) => ({ topic: 'hits', partition: 1, value: Buffer.from(value) })));
    expect(await log.committed('g', 'hits', 1)).toBeNull();
    const seen: string[] = [];
    const process = async (batch: { records: readonly { value: Uint8Array }[] }) => {
      seen.push(...batch.records.map(({ value }) => text(value)));
    };
    const member = await log.join('g', 'hits', async () => ({ start: 'earliest', limit, process, close: async () => undefined }));
    await eventually(() => expect(seen).toEqual(['a', 'b', 'c']));
    await member.leave();
    expect(await log.committed('g', 'hits', 1)).toBe(3);
  });
});

describe('what other programs write', () => {
  it('reads compressed records, and of transactions only what was committed', async () => {
    const options = freshOptions();
    const log = await openLog(options);
    const topic = `${options.topicPrefix}.incoming`;
    const plain = foreignClient().producer();
    const careful = foreignClient().producer({ transactionalId: randomUUID(), maxInFlightRequests: 1, idempotent: true });
    await Promise.all([plain.connect(), careful.connect()]);
    const send = (value: string) => ({ topic, messages: [{ key: 'k', headers: { h: 'x' }, value, partition: 0 }] });
    await plain.send({ ...send('one'), compression: CompressionTypes.GZIP });
    const taken = await careful.transaction();
    await taken.send(send('taken back'));
    await taken.abort();
    const kept = await careful.transaction();
    await kept.send(send('two'));
    await kept.commit();
    const again = await careful.transaction();
    await again.send(send('taken back as well'));
    await again.abort();
    await Promise.all([plain.disconnect(), careful.disconnect()]);
    // The last marker comes a moment after its transaction is answered.
    const next = 7;
    await expect.poll(() => log.bounds('incoming', 0)).toEqual({ first: 0, next });
    const batch = await log.read('incoming', 0, 0, limit);
    expect(batch.records.map(({ value }) => text(value))).toEqual(['one', 'two']);
    const rest = await log.read('incoming', 0, batch.next, limit);
    expect(rest).toEqual({ records: [], next });
    expect(await log.read('incoming', 0, next, limit)).toEqual({ records: [], next });
    await log.append([{ topic: 'incoming', partition: 0, value: Buffer.from('three') }]);
    expect((await log.read('incoming', 0, next, limit)).records).toHaveLength(1);
  });

  it('goes through a partition that ends in what was taken back, and waits there without spinning', async () => {
    const options = freshOptions();
    const log = await openLog(options);
    const careful = foreignClient().producer({ transactionalId: randomUUID(), maxInFlightRequests: 1, idempotent: true });
    await careful.connect();
    const taken = await careful.transaction();
    await taken.send({ topic: `${options.topicPrefix}.incoming`, messages: [{ value: 'taken back', partition: 0 }] });
    await taken.abort();
    await careful.disconnect();
    const seen: string[] = [];
    const member = await log.join('g', 'incoming', async () => ({
      start: 'earliest',
      limit,
      process: async ({ records }) => void seen.push(...records.map(({ value }) => text(value))),
      close: async () => undefined,
    }));
    await eventually(() => expect(member.owned()).toHaveLength(4));
    await log.append([{ topic: 'incoming', partition: 0, value: Buffer.from('after') }]);
    await eventually(() => expect(seen).toEqual(['after']));
    await member.leave();
  });
});

describe('compression', () => {
  const values = Array.from({ length: 100 }, (_, i) => `${i}`.repeat(1_000));
  const codecOf = (segment: Buffer) => ['none', 'gzip', 'snappy', 'lz4', 'zstd'][segment.readInt16BE(21) & 7];

  it.each(['gzip', 'lz4', 'zstd'] as const)('gives back what was appended packed by %s', async (compression) => {
    const options = { ...freshOptions(), compression };
    const log = await openLog(options);
    await log.append(values.map((value) => ({ topic: 'legs', partition: 1, value: Buffer.from(value) })));
    const { records } = await log.read('legs', 1, 0, limit);
    expect(records.map(({ value }) => text(value))).toEqual(values);
    expect(codecOf(kafka.segmentOf(`${options.topicPrefix}.legs`, 1))).toBe(compression);
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('reads what the libraries of Java have packed by %s', async (codec) => {
    const options = freshOptions();
    const log = await openLog(options);
    const topic = `${options.topicPrefix}.incoming`;
    const admin = foreignClient().admin();
    await admin.connect();
    // The broker unpacks what comes and packs it anew.
    const configEntries = [{ name: 'compression.type', value: codec }];
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }];
    await admin.alterConfigs({ validateOnly: false, resources });
    await admin.disconnect();
    await expect
      .poll(async () => {
        const { next } = await log.bounds('incoming', 0);
        await log.append(values.map((value) => ({ topic: 'incoming', partition: 0, value: Buffer.from(value) })));
        const { records } = await log.read('incoming', 0, next, limit);
        expect(records.map(({ value }) => text(value))).toEqual(values);
        const segment = kafka.segmentOf(topic, 0);
        return codecOf(segment.subarray(segment.length - lastBatchBytes(segment)));
      })
      .toBe(codec);
  });
});

/** Each batch says how long it is. */
function lastBatchBytes(segment: Buffer): number {
  let at = 0;
  for (;;) {
    const length = 12 + segment.readInt32BE(at + 8);
    if (at + length >= segment.length) return length;
    at += length;
  }
}

describe('what is wrong is said in a sentence', () => {
  it('says so when nothing answers at the address', async () => {
    const startMs = performance.now();
    const sentence = await sentenceOf(createKafkaLog({ ...freshOptions(), brokers: ['127.0.0.1:1'] }));
    expect(sentence).toMatch(/^Kafka: 127\.0\.0\.1:1 cannot be reached: check kafka\.brokers.*ECONNREFUSED/);
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(await sentenceOf(createKafkaLog({ ...freshOptions(), brokers: ['nowhere'] }))).toMatch(/"nowhere" is no address/);
  });

  it('says so when the topics have another number of partitions', async () => {
    const options = freshOptions();
    await openLog(options);
    const other = { ...options, partitions: { ...contractPartitions, transactions: 8 } };
    expect(await sentenceOf(createKafkaLog(other))).toMatch(
      /transactions has 4 partitions, 8 are configured: set log\.partitions/,
    );
  });

  it('says so when the password is wrong, when a login is missing and when there is no TLS', async () => {
    const sasl = { mechanism: 'plain', ...kafkaUser } as const;
    const options = { ...freshOptions(), brokers: kafka.saslBootstrap };
    const wrong = await sentenceOf(createKafkaLog({ ...options, sasl: { ...sasl, password: 'guessed' } }));
    expect(wrong).toMatch(/refused the login by plain as huqi: check kafka\.sasl/);
    expect(wrong).not.toContain('guessed');
    expect(await sentenceOf(createKafkaLog(options))).toMatch(/check kafka\.tls and kafka\.sasl/);
    expect(await sentenceOf(createKafkaLog({ ...freshOptions(), tls: true }))).toMatch(/check kafka\.tls/);
    await openLog({ ...options, sasl });
    await openLog({ ...options, sasl: { ...sasl, mechanism: 'scram-sha-256' } });
  });

  it('says so when the user has no rights', async () => {
    const sasl = { mechanism: 'plain', username: 'nobody', password: kafkaUser.password } as const;
    const sentence = await sentenceOf(createKafkaLog({ ...freshOptions(), brokers: kafka.saslBootstrap, sasl }));
    expect(sentence).toMatch(/no right/);
  });

  it('needs no more rights than the guide names', async () => {
    const options = freshOptions();
    const prefix = `${options.topicPrefix}.`;
    const { READ, WRITE, DESCRIBE, CREATE, DELETE, DESCRIBE_CONFIGS } = AclOperationTypes;
    const allow = (resourceType: AclResourceTypes, operation: AclOperationTypes) => ({
      resourceType,
      resourceName: prefix,
      resourcePatternType: ResourcePatternTypes.PREFIXED,
      principal: 'User:limited',
      host: '*',
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    });
    const admin = foreignClient().admin();
    await admin.connect();
    await admin.createAcls({
      acl: [
        ...[READ, WRITE, DESCRIBE, CREATE, DELETE, DESCRIBE_CONFIGS].map((right) => allow(AclResourceTypes.TOPIC, right)),
        ...[READ, DESCRIBE].map((right) => allow(AclResourceTypes.GROUP, right)),
      ],
    });
    await admin.disconnect();
    const sasl = { mechanism: 'plain', username: 'limited', password: kafkaUser.password } as const;
    const limited = { ...options, brokers: kafka.saslBootstrap, sasl };
    // Rights are in force a moment after they were given, one after the other.
    const opening = () => sentenceOf(createKafkaLog(limited).then((log) => log.close()));
    await expect.poll(opening, { timeout: 30_000 }).toBe('nothing was wrong');
    const log = await openLog(limited);
    await log.append(['a', 'b'].map((value) => ({ topic: 'hits', partition: 0, value: Buffer.from(value) })));
    await log.trim('hits', 0, 1);
    const seen: string[] = [];
    const process = async ({ records }: LogBatch) => void seen.push(...records.map(({ value }) => text(value)));
    const member = await log.join('g', 'hits', async () => ({ start: 'earliest', limit, process, close: async () => undefined }));
    await eventually(() => expect(seen).toEqual(['b']));
    await member.leave();
    expect(await log.committed('g', 'hits', 0)).toBe(2);
    expect((await checkKafka(limited)).map(({ verdict }) => verdict)).not.toContain('bad');
  });

  it('says so when there are fewer brokers than copies, and when a topic would lose or refuse records', async () => {
    expect(await sentenceOf(createKafkaLog({ ...freshOptions(), replication: 2 }))).toMatch(/fewer brokers than copies/);
    const options = freshOptions();
    const admin = foreignClient().admin();
    await admin.connect();
    const make = (topic: string, name: string, value: string) =>
      admin.createTopics({ topics: [{ topic, numPartitions: 4, configEntries: [{ name, value }] }], waitForLeaders: false });
    await make(`${options.topicPrefix}.hits`, 'cleanup.policy', 'compact');
    expect(await sentenceOf(createKafkaLog(options))).toMatch(/hits has cleanup\.policy compact.*set it to delete/);
    const small = freshOptions();
    await make(`${small.topicPrefix}.hits`, 'max.message.bytes', '1000000');
    expect(await sentenceOf(createKafkaLog(small))).toMatch(
      /hits takes records up to 1000000 bytes: set its max\.message\.bytes/,
    );
    await admin.disconnect();
  });

  it('refuses a record that no topic takes before it is sent, and takes the largest one', async () => {
    const log = await openLog(freshOptions());
    const append = (bytes: number) => log.append([{ topic: 'hits', partition: 0, value: Buffer.alloc(bytes, 1) }]);
    await expect(append(16 * 2 ** 20)).rejects.toThrow(/hits\/0: a record of 16777216 bytes, at most 15728608 are allowed/);
    await append(15_728_608);
    expect((await log.read('hits', 0, 0, limit)).records[0]!.value).toHaveLength(15_728_608);
  });

  it('is found by the doctor as well', async () => {
    const options = freshOptions();
    expect(await checkKafka({ ...options, brokers: ['127.0.0.1:1'] })).toMatchObject([{ verdict: 'bad', detail: /cannot be/ }]);
    const before = await checkKafka(options);
    expect(before.map(({ verdict }) => verdict)).toEqual(['doubtful', 'good']);
    expect(before[1]!.detail).toMatch(/none yet/);
    await openLog(options);
    const after = await checkKafka(options);
    expect(after.map(({ check, verdict }) => `${check}: ${verdict}`)).toEqual([
      'Kafka: doubtful',
      'Kafka topics: good',
      'Kafka copies: doubtful',
      'Kafka topic settings: good',
    ]);
    const other = { ...options, partitions: { ...contractPartitions, hits: 3 } };
    expect((await checkKafka(other))[1]).toMatchObject({ verdict: 'bad' });
  });
});

describe('an idle process', () => {
  it('does next to nothing, and Node has nothing to warn of', async () => {
    const idle = child('idle', freshOptions());
    await idle.ended();
    const { cpuMs, warnings } = JSON.parse(idle.lines.at(-1)!) as { cpuMs: number; warnings: number };
    expect(warnings).toBe(0);
    expect(cpuMs).toBeLessThan(300);
  });
});

function attempt(check: () => void): string {
  try {
    check();
    return 'ok';
  } catch (error) {
    return String(error);
  }
}
