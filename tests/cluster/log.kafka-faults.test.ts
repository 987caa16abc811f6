import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaLog, type KafkaLog, type KafkaLogEvent, type KafkaLogOptions } from '../../src/adapters/log/kafka.js';
import type { LogBatch, LogTrouble } from '../../src/ports/log.js';
import { Unavailable } from '../../src/ports/unavailable.js';
import { contractPartitions } from '../contracts/log.contract.js';
import { startFaultProxy, type FaultProxy } from './support/fault-proxy.js';
import { startKafka, type KafkaCluster } from './support/kafka-broker.js';

const limit = { recordsMax: 1_000, bytesMax: 1_000_000 };
const text = (value: Uint8Array) => Buffer.from(value).toString();
const eventually = (check: () => void) => expect.poll(() => attempt(check), { timeout: 90_000, interval: 50 }).toBe('ok');
const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

const logs: KafkaLog[] = [];
afterEach(async () => {
  await Promise.all(logs.splice(0).map((log) => log.close()));
});
async function openLog(kafka: KafkaCluster, options: Partial<KafkaLogOptions> = {}): Promise<KafkaLog> {
  const log = await createKafkaLog({
    brokers: kafka.bootstrap,
    partitions: contractPartitions,
    topicPrefix: `t${randomUUID().slice(0, 8)}`,
    sessionTimeoutMs: 4_000,
    deadlineMs: 60_000,
    ...options,
  });
  logs.push(log);
  return log;
}

async function readAll(log: KafkaLog, partition: number): Promise<string[]> {
  const all: string[] = [];
  for (let next = 0; ;) {
    const batch = await log.read('hits', partition, next, limit);
    if (batch.records.length === 0) return all;
    all.push(...batch.records.map(({ value }) => text(value)));
    next = batch.next;
  }
}

/** Appends 0, 1, 2 … to partition 0, `width` at a time, until it is told to stop; then says how many were acknowledged. */
function appendNumbers(log: KafkaLog, width = 3) {
  let next = 0;
  const stopping = new AbortController();
  const acknowledged: string[] = [];
  const worker = async () => {
    while (!stopping.signal.aborted) {
      const value = `${next++}`;
      await log.append([{ topic: 'hits', partition: 0, value: Buffer.from(value) }]);
      acknowledged.push(value);
    }
  };
  const workers = Promise.all(Array.from({ length: width }, worker));
  return {
    acknowledged,
    stop: async () => {
      stopping.abort();
      await workers;
      return next;
    },
  };
}

describe('one broker', () => {
  let kafka: KafkaCluster;
  let proxy: FaultProxy;
  beforeAll(async () => {
    proxy = await startFaultProxy({ target: 0 });
    kafka = await startKafka({ frontPorts: [proxy.port] });
    proxy.retarget(kafka.frontTargets[0]!);
  });
  afterAll(async () => {
    await proxy?.close();
    await kafka?.stop();
  });
  afterEach(() => proxy.resume());

  it('loses nothing, doubles nothing and keeps the order when it is killed while much is on the way, and readers go on', async () => {
    const events: KafkaLogEvent[] = [];
    const troubles: LogTrouble[] = [];
    const log = await openLog(kafka, { onEvent: (event) => events.push(event), onTrouble: (trouble) => troubles.push(trouble) });
    const seen: string[] = [];
    const opened: number[] = [];
    const member = await log.join('g', 'hits', async (partition) => {
      opened.push(partition);
      const process = async ({ records }: LogBatch) => void seen.push(...records.map(({ value }) => text(value)));
      return { start: 'earliest', limit, process, close: async () => undefined };
    });
    const appending = appendNumbers(log, 8);
    for (let kill = 0; kill < 2; kill++) {
      await eventually(() => expect(seen.length).toBeGreaterThan((kill + 1) * 100));
      await kafka.brokers[0]!.kill();
      // Longer than the session: this process cannot know whether it is still a member.
      await sleep(5_000);
      await kafka.brokers[0]!.start();
      const before = seen.length;
      await eventually(() => expect(seen.length).toBeGreaterThan(before + 100));
    }
    const count = await appending.stop();
    expect(appending.acknowledged).toHaveLength(count);
    expect(await readAll(log, 0)).toEqual(numbers(count));
    await eventually(() => expect(seen).toHaveLength(count));
    expect(seen).toEqual(numbers(count));
    expect(opened.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    expect(troubles).toEqual([]);
    const kinds = events.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'membershipLost')).toHaveLength(2);
    expect(kinds.filter((kind) => kind === 'membershipRegained')).toHaveLength(2);
    await member.leave();
    await member.done;
  });

  it('gives up after the deadline, closes the partitions alone and goes on from their own position when it is back', async () => {
    const troubles: LogTrouble[] = [];
    const log = await openLog(kafka, { deadlineMs: 2_000, onTrouble: (trouble) => troubles.push(trouble) });
    let position = 0;
    const seen: string[] = [];
    const member = await log.join('g', 'hits', async (partition) => ({
      start: partition === 0 ? position : 'earliest',
      limit,
      process: async ({ records, next }) => {
        seen.push(...records.map(({ value }) => text(value)));
        position = next;
      },
      close: async () => undefined,
    }));
    await log.append([{ topic: 'hits', partition: 0, value: Buffer.from('before') }]);
    await eventually(() => expect(seen).toEqual(['before']));
    await kafka.brokers[0]!.kill();
    const startMs = performance.now();
    await expect(log.append([{ topic: 'hits', partition: 0, value: Buffer.from('lost or not') }])).rejects.toThrow(Unavailable);
    await expect(log.read('hits', 1, 0, limit)).rejects.toThrow(Unavailable);
    expect(performance.now() - startMs).toBeLessThan(20_000);
    await eventually(() => expect(member.owned()!.every(({ isOpen }) => !isOpen)).toBe(true));
    await kafka.brokers[0]!.start();
    await log.append([{ topic: 'hits', partition: 0, value: Buffer.from('after') }]);
    await eventually(() => expect(seen).toEqual(['before', 'after']));
    for (const { error } of troubles) expect(error).toBeInstanceOf(Unavailable);
    await member.leave();
    await member.done;
  });

  it('keeps an append once whose answer was lost', async () => {
    const log = await openLog(kafka, { brokers: [`127.0.0.1:${proxy.port}`] });
    const append = (value: string) => log.append([{ topic: 'hits', partition: 0, value: Buffer.from(value) }]);
    await append('first');
    for (const value of ['second', 'third']) {
      const cut = proxy.cutReplies(value);
      await append(value);
      await cut;
    }
    await append('fourth');
    expect(await readAll(log, 0)).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it.each([
    ['the answer is lost', () => proxy.swallowReplies()],
    ['nothing comes through', () => proxy.stall()],
  ] as const)('says that it does not know when %s, appends nothing behind it, and goes on afterwards', async (_, fail) => {
    const events: KafkaLogEvent[] = [];
    const log = await openLog(kafka, {
      brokers: [`127.0.0.1:${proxy.port}`],
      deadlineMs: 3_000,
      onEvent: (event) => events.push(event),
    });
    const append = (value: string) => log.append([{ topic: 'hits', partition: 0, value: Buffer.from(value) }]);
    await append('first');
    fail();
    const results = Promise.allSettled(['doubtful', 'doubtful too'].map(append));
    await sleep(200);
    const behind = append('behind it').catch((error: unknown) => error);
    for (const result of await results) expect(result).toMatchObject({ status: 'rejected', reason: expect.any(Unavailable) });
    proxy.reset();
    proxy.resume();
    expect(await behind).toBeInstanceOf(Unavailable);
    await append('second');
    await append('third');
    const kept = await readAll(log, 0);
    expect(kept.filter((value) => !value.startsWith('doubtful'))).toEqual(['first', 'second', 'third']);
    expect(new Set(kept).size).toBe(kept.length);
    expect(events.map(({ kind }) => kind)).toEqual(['producerReplaced']);
  });

  it('gives the partitions of a member to others when its network stalls, and gives it some again when it is back', async () => {
    const cutOff = await openLog(kafka, { brokers: [`127.0.0.1:${proxy.port}`], topicPrefix: 'shared' });
    const other = await openLog(kafka, { topicPrefix: 'shared' });
    const held = new Map<number, string>();
    const join = (log: KafkaLog, name: string) =>
      log.join('g', 'hits', async (partition) => {
        held.set(partition, name);
        return {
          start: 'earliest',
          limit,
          process: async () => void held.set(partition, name),
          close: async () => undefined,
        };
      });
    const first = await join(cutOff, 'cut off');
    await eventually(() => expect(first.owned()).toHaveLength(4));
    const second = await join(other, 'other');
    await eventually(() => expect([first.owned()?.length, second.owned()?.length]).toEqual([2, 2]));
    proxy.stall();
    await eventually(() => expect(second.owned()).toHaveLength(4));
    await eventually(() => expect(first.owned()!.some(({ isOpen }) => isOpen)).toBe(false));
    for (const partition of [0, 1, 2, 3]) await other.append([{ topic: 'hits', partition, value: Buffer.from('x') }]);
    await eventually(() => expect([...held.values()]).toEqual(Array(4).fill('other')));
    proxy.resume();
    await eventually(() => expect([first.owned()?.length, second.owned()?.length]).toEqual([2, 2]));
    await Promise.all([first.leave(), second.leave()]);
  });
});

describe('three brokers', () => {
  let kafka: KafkaCluster;
  beforeAll(async () => {
    kafka = await startKafka({ brokers: 3 });
  });
  afterAll(() => kafka?.stop());

  it('loses nothing and doubles nothing when each is killed in turn, and members stay members', async () => {
    const troubles: LogTrouble[] = [];
    const log = await openLog(kafka, { onTrouble: (trouble) => troubles.push(trouble) });
    const seen: string[] = [];
    const opened: number[] = [];
    const member = await log.join('g', 'hits', async (partition) => {
      opened.push(partition);
      const process = async ({ records }: LogBatch) => void seen.push(...records.map(({ value }) => text(value)));
      return { start: 'earliest', limit, process, close: async () => undefined };
    });
    const appending = appendNumbers(log, 8);
    for (const broker of kafka.brokers) {
      const before = seen.length;
      await eventually(() => expect(seen.length).toBeGreaterThan(before + 50));
      await broker.kill();
      const down = seen.length;
      // The two others go on alone.
      await eventually(() => expect(seen.length).toBeGreaterThan(down + 200));
      await broker.start();
    }
    const count = await appending.stop();
    expect(appending.acknowledged).toHaveLength(count);
    expect(await readAll(log, 0)).toEqual(numbers(count));
    await eventually(() => expect(seen).toEqual(numbers(count)));
    expect(opened.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    expect(troubles).toEqual([]);
    await member.leave();
    await member.done;
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
