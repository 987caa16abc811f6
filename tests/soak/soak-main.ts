/**
 * Runs HuQi by roles on real Kafka, Redis and ClickHouse's engine while its parts and servers are killed and the network between
 * them fails, and holds what comes of it against a quiet run of what was accepted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openStores } from '../../src/app.js';
import type { Recipient, RecipientInput } from '../../src/domain/recipient.js';
import type { Level } from '../../src/domain/warning.js';
import { archiveLag } from '../../src/pipeline/archive-positions.js';
import { deliveriesPending, doneUpTo, scoreLag } from '../../src/pipeline/positions.js';
import type { Log } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import { startReceiver } from '../../src/simulate/receiver.js';
import { huqi } from '../support/huqi.js';
import { audit, type Received } from './auditor.js';
import { createBank, type Bank } from './bank.js';
import { startSoakCluster, type SoakCluster } from './cluster.js';
import { createDisturbances } from './disturbances.js';
import { watchRecovery } from './recovery.js';
import { describe, isGood } from './verdict.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    'kill-every': { type: 'string', default: '6' },
    rate: { type: 'string', default: '200' },
    /** Keeps the servers up after a difference, to look at them, until it is interrupted. */
    hold: { type: 'boolean', default: false },
  },
});
const minutes = within('--minutes', values.minutes, 0.1, 1_440);
const seed = within('--seed', values.seed, 0, 2 ** 31);
const killEveryMs = within('--kill-every', values['kill-every'], 0.5, 3_600) * 1_000;
const rate = within('--rate', values.rate, 1, 100_000);

const drainMsMax = 300_000;
const holdMsMax = 3_600_000;
const recipientId = 'soak-centre';
const startedMs = Date.now();
let cluster: SoakCluster | undefined;

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    say(`${signal}: ending everything`);
    void Promise.race([cluster?.stop(), sleep(20_000)]).finally(() => process.exit(130));
  });

try {
  process.exitCode = (await soak()) ? 0 : 1;
} catch (error) {
  say(`it could not be carried out: ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
} finally {
  await cluster?.stop();
}
process.exit();

async function soak(): Promise<boolean> {
  const transactions = Math.max(2_000, Math.ceil(rate * minutes * 60 * 1.1));
  if (transactions > 50_000_000) throw new Error('--rate times --minutes: at most 50,000,000 transactions can be made up');
  say(`seed ${seed}, ${minutes} min at ${rate} transactions/s, a fault every ${killEveryMs / 1_000} s`);
  const running = await startSoakCluster(say);
  cluster = running;
  const { settings, url, keys } = running;
  const receiver = await startSoakReceiver(running);
  const stores = await openStores(settings);
  const { log, state } = stores;
  const watch = watchRecovery(log, state);
  const bank = createBank({ url, key: keys.bank, seed, rate, transactions });
  const disturbances = createDisturbances({ cluster: running, bank, watch, seed, everyMs: killEveryMs, onProgress: say });

  const sendingFromMs = Date.now();
  const over = AbortSignal.timeout(minutes * 60_000);
  const telling = setInterval(() => say(`${bank.accepted.length} accepted, ${receiver.byId.size} webhooks`), 15_000);
  await Promise.all([bank.run(over), disturbances.run(over)]);
  clearInterval(telling);
  const sendingMs = Date.now() - sendingFromMs;
  say(`faults are over; ${bank.accepted.length} accepted; waiting until nothing is left to do`);
  const drainFromMs = Date.now();
  const left = await drained(log, state, bank, drainMsMax);
  const drainMs = Date.now() - drainFromMs;
  if (left !== null) say(`not drained after ${drainMs} ms: ${left}`);
  await watch.stop();

  say('auditing against a quiet run');
  const found = await audit({ accepted: bank.accepted, settings, log, state, received: receiver, recipient: receiver.recipient });
  await stores.close();
  say('huqi verify');
  const verified = await huqi(['verify', '--json'], running.environment);
  const result = {
    seed,
    minutes,
    sendingMs,
    drainMs,
    bank,
    disturbances,
    recoveries: watch.recoveries,
    unrecovered: [...watch.open, ...(left === null ? [] : [left])],
    audit: found,
    webhooks: receiver.byId.size,
    endings: [...running.parts.values()].flatMap(({ name, endings }) => endings.map((text) => `${name}: ${text}`)),
    verify: { code: verified.code, verdict: verdictOf(verified.stdout, verified.stderr) },
  };
  process.stdout.write(describe(result));
  for (const kind of ['lost', 'phantom', 'doubled', 'wrong'] as const)
    for (const text of found[kind].slice(0, 10)) process.stdout.write(`  ${kind}: ${text.slice(0, 300)}\n`);
  if (verified.code !== 0) process.stdout.write(`  verify: ${`${verified.stdout}${verified.stderr}`.slice(0, 2_000)}\n`);
  if (values.hold && !isGood(result)) {
    say(`held until it is interrupted: ${JSON.stringify(running.environment)}`);
    await sleep(holdMsMax);
  }
  await receiver.close();
  return isGood(result);
}

async function startSoakReceiver({
  url,
  keys,
}: SoakCluster): Promise<Received & { readonly recipient: Recipient; close(): Promise<void> }> {
  const secrets = new Map<string, string>();
  const byId = new Map<string, { warning: string; level: Level }>();
  const receiver = await startReceiver({
    secretFor: (name) => secrets.get(name),
    onWarning: (event) => {
      const { id, data } = event as { id: string; data: { id: string; level: Level } };
      byId.set(id, { warning: data.id, level: data.level });
    },
  });
  const webhook = { url: `${receiver.url}/${recipientId}` };
  const input: RecipientInput = { kind: 'centre', match: '*', name: 'centre', webhook };
  const response = await fetch(`${url}/v1/recipients/${recipientId}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${keys.centre}`, 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  const { secret } = (await response.json()) as { secret?: string };
  if (secret === undefined) throw new Error(`the recipient could not be registered: ${response.status}`);
  secrets.set(recipientId, secret);
  return {
    recipient: { id: recipientId, ...input },
    byId,
    get repeats() {
      return receiver.counts.repeats;
    },
    get invalid() {
      return receiver.counts.invalid;
    },
    close: () => receiver.close(),
  };
}

/** Null once every stage has worked off its input; what is left where that takes too long. */
async function drained(log: Log, state: State, { accepted }: Bank, msMax: number): Promise<string | null> {
  const deadline = Date.now() + msMax;
  let left = 'nothing could be read';
  for (let quiet = 0; quiet < 3; await sleep(1_000)) {
    const lags = await lagsOf(log, state).catch((error: unknown) => String(error));
    const isQuiet = typeof lags === 'object' && Object.values(lags).every((lag) => lag === 0);
    quiet = isQuiet ? quiet + 1 : 0;
    left = JSON.stringify(lags);
    if (Date.now() > deadline) return `${left} of ${accepted.length} transactions`;
  }
  return null;
}

async function lagsOf(log: Log, state: State): Promise<Record<string, number>> {
  const behind = async (topic: 'hits' | 'warnings'): Promise<number> => {
    let lag = 0;
    for (let partition = 0; partition < log.partitions(topic); partition++) {
      const [{ next }, done] = await Promise.all([log.bounds(topic, partition), doneUpTo(state, topic, partition)]);
      lag += next - (done ?? 0);
    }
    return lag;
  };
  const [score, warn, dispatch, pending, archive] = await Promise.all([
    scoreLag({ log, state }),
    behind('hits'),
    behind('warnings'),
    deliveriesPending({ log, state }),
    archiveLag({ log, state }),
  ]);
  return { score, warn, dispatch, pending, archive };
}

function verdictOf(stdout: string, stderr: string): string {
  try {
    return (JSON.parse(stdout) as { verdict: string }).verdict;
  } catch {
    return stderr.trim().split('\n')[0]?.slice(0, 80) ?? 'nothing said';
  }
}

function say(text: string): void {
  process.stderr.write(`${((Date.now() - startedMs) / 1_000).toFixed(1).padStart(7)} s  ${text}\n`);
}

function within(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= least && value <= most) return value;
  process.stderr.write(`soak: ${name} ${text}: expected a number from ${least} to ${most}\n`);
  process.exit(2);
}
