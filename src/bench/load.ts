import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { createMaterial, firstDay, type Material } from './material.js';
import { warmSeconds } from './measure.js';

/** The load generator's thread: makes its transactions, says it is ready, sends them when told, reports. */

const { kind, url, key, accounts, transactions, rate } = z
  .object({
    kind: z.enum(['throughput', 'latency']),
    url: z.string(),
    key: z.string(),
    accounts: z.int(),
    transactions: z.int(),
    rate: z.int().default(0),
  })
  .parse(workerData);

const linesPerBody = kind === 'throughput' ? 2_000 : 50;
const inFlightMax = 8;
const agent = new Agent({ keepAlive: true, maxSockets: inFlightMax });
const sentAtMs = new Map<string, number>();
/** Transactions that were sent while the process warmed up. */
const sentFirst = new Set<string>();

interface Body {
  readonly bytes: Buffer;
  /** Of its transactions; none where nobody waits for their warnings. */
  readonly ids: readonly string[];
}

/** Figures are told of a process that has run for a while, and by themselves of its first work, while its compiler learns. */
const firstTransactions = kind === 'latency' ? rate * warmSeconds : transactions;
const firstBodies = bodiesOf(createMaterial(accounts, firstTransactions, 2, firstDay - 1));
const bodies = bodiesOf(createMaterial(accounts, transactions));
for (const { ids } of firstBodies) for (const id of ids) sentFirst.add(id);

function bodiesOf({ bytes, starts, count }: Material): Body[] {
  const made: Body[] = [];
  const newline = Buffer.from('\n');
  for (let at = 0; at < count; at += linesPerBody) {
    const records = Array.from({ length: Math.min(linesPerBody, count - at) }, (_, i) =>
      Buffer.from(bytes.buffer, starts[at + i], starts[at + i + 1]! - starts[at + i]!),
    );
    const ids = kind === 'latency' ? records.map((record) => /"id":"([^"]+)"/.exec(record.toString('latin1'))?.[1] ?? '') : [];
    made.push({ bytes: Buffer.concat(records.flatMap((record) => [record, newline])), ids });
  }
  return made;
}

/** What is sent at once, told to begin again and again. */
const days = [firstBodies, bodies];
parentPort?.postMessage('ready');
parentPort?.on('message', () => {
  void (kind === 'throughput' ? sendAll(days.shift() ?? []) : sendAtRate()).then((result) => parentPort?.postMessage(result));
});

async function sendAll(day: readonly Body[]): Promise<object> {
  const startedMs = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlightMax }, async () => {
      for (let body = day[next++]; body; body = day[next++]) await post(body.bytes);
    }),
  );
  return { acceptedMs: performance.now() - startedMs, latenciesMs: [], firstLatenciesMs: [] };
}

async function sendAtRate(): Promise<object> {
  const latenciesMs: Latencies = { first: [], warm: [] };
  const stop = new AbortController();
  const watching = watch(latenciesMs, stop.signal);
  const startedMs = performance.now();
  const pending: Promise<void>[] = [];
  for (const [i, { bytes, ids }] of [...firstBodies, ...bodies].entries()) {
    const waitMs = startedMs + ((i * linesPerBody) / rate) * 1000 - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    const nowMs = performance.now();
    for (const id of ids) sentAtMs.set(id, nowMs);
    pending.push(post(bytes));
  }
  await Promise.all(pending);
  const acceptedMs = performance.now() - startedMs;
  await sleep(1_000);
  stop.abort();
  await watching;
  return { acceptedMs, latenciesMs: latenciesMs.warm, firstLatenciesMs: latenciesMs.first };
}

function post(body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL('/v1/transactions', url),
      {
        method: 'POST',
        agent,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson', 'content-length': body.length },
      },
      (response) => {
        response.resume();
        response.on('end', () =>
          response.statusCode === 200 ? resolve() : reject(new Error(`the platform answered ${response.statusCode}`)),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

interface Latencies {
  readonly first: number[];
  readonly warm: number[];
}

const warningSchema = z.object({ revision: z.int(), hits: z.array(z.object({ transaction: z.string() })) });

/** Reads the live feed and notes how long after its transaction was sent each new warning shows up. */
async function watch(latenciesMs: Latencies, signal: AbortSignal): Promise<void> {
  const response = await fetch(new URL('/v1/stream?from=now', url), { headers: { accept: 'text/event-stream' }, signal }).catch(
    () => null,
  );
  if (!response?.body) throw new Error('the live feed does not answer');
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        note(text.slice(0, end), latenciesMs);
        text = text.slice(end + 2);
      }
    }
  } catch {
    // Ended by us.
  }
}

function note(event: string, latenciesMs: Latencies): void {
  const data = event.split('\n').find((line) => line.startsWith('data:'));
  if (!data) return;
  const found = warningSchema.safeParse(JSON.parse(data.slice(5)));
  if (!found.success || found.data.revision !== 1) return;
  const transactions = found.data.hits.map(({ transaction }) => transaction);
  const sent = Math.max(...transactions.map((id) => sentAtMs.get(id) ?? -Infinity));
  const isFirst = transactions.every((id) => sentFirst.has(id));
  if (sent > 0) latenciesMs[isFirst ? 'first' : 'warm'].push(performance.now() - sent);
}
