import { formatShanghai } from '../../src/domain/bank-day.js';

/**
 * A small deterministic bank day: ordinary trade among enterprises, with mules that collect from persons and pay on, tests
 * followed by large payments, and large first payments to strangers. The same arguments give the same lines.
 */
export interface StreamOptions {
  readonly transactions: number;
  readonly seed: number;
  /** First event time; one transaction every `stepMs`. */
  readonly startMs?: number;
  readonly stepMs?: number;
}

const enterprises = 60;
const persons = 200;

export function makeStream({
  transactions,
  seed,
  startMs = Date.parse('2026-07-01T09:00:00+08:00'),
  stepMs = 5_000,
}: StreamOptions): string[] {
  const random = createRandom(seed);
  const lines: string[] = [];
  let queue: Payment[] = [];
  let mules = 0;
  while (lines.length < transactions) {
    if (queue.length === 0) queue = random() < 0.05 ? scheme(mules++, random) : [trade(random)];
    const payment = queue.shift();
    if (payment) lines.push(JSON.stringify(record(payment, lines.length, startMs + lines.length * stepMs)));
  }
  return lines;
}

interface Payment {
  readonly payer: Account;
  readonly payee: Account;
  readonly yuan: number;
  readonly payeeBalance?: number;
  readonly payerBalance?: number;
}

interface Account {
  readonly account: string;
  readonly name: string;
  readonly kind: 'corporate' | 'personal';
  readonly bank: string;
  readonly region: string;
  readonly creditCode?: string;
  readonly openedOn?: string;
}

function trade(random: () => number): Payment {
  const payer = enterprise(Math.floor(random() * enterprises));
  const payee = enterprise(Math.floor(random() * enterprises));
  return {
    payer,
    payee: payee.account === payer.account ? enterprise(enterprises + 1) : payee,
    yuan: 100 + Math.floor(random() * 30_000),
    payerBalance: 5_000_000,
  };
}

/** A mule collects from nine persons and pays on to one; before that somebody tests it with a small sum. */
function scheme(n: number, random: () => number): Payment[] {
  const mule = { ...enterprise(10_000 + n), name: `过账${n}商贸有限公司` };
  const boss = person(5_000 + n);
  const victim = enterprise(Math.floor(random() * enterprises));
  const credits = Array.from({ length: 9 }, () => ({
    payer: person(Math.floor(random() * persons)),
    payee: mule,
    yuan: 30_000 + Math.floor(random() * 10_000),
  }));
  return [
    { payer: victim, payee: mule, yuan: 50, payerBalance: 900_000 },
    { payer: victim, payee: mule, yuan: 480_000 + n, payerBalance: 10_000 },
    ...credits,
    { payer: mule, payee: boss, yuan: 600_000, payerBalance: 500 },
    { payer: mule, payee: boss, yuan: 150_000, payerBalance: 300 },
  ];
}

function enterprise(n: number): Account {
  const number = String(n).padStart(6, '0');
  return {
    account: `4100100${number}0001`,
    name: `河南样例${n}有限公司`,
    kind: 'corporate',
    bank: '102491002011',
    region: '410100',
    creditCode: `91410100MA${number}XX`,
    openedOn: '2019-03-01',
  };
}

function person(n: number): Account {
  const number = String(n).padStart(6, '0');
  return {
    account: `622202${number}0007`,
    name: `某${n}`,
    kind: 'personal',
    bank: '103491002011',
    region: n % 2 === 0 ? '420100' : '430100',
  };
}

function record({ payer, payee, yuan, payerBalance, payeeBalance }: Payment, n: number, timeMs: number): object {
  return {
    id: `T${String(n).padStart(7, '0')}`,
    time: formatShanghai(timeMs),
    amountFen: yuan * 100,
    currency: 'CNY',
    status: 'settled',
    payer: { ...payer, ...(payerBalance === undefined ? {} : { balanceFen: payerBalance * 100 }) },
    payee: { ...payee, ...(payeeBalance === undefined ? {} : { balanceFen: payeeBalance * 100 }) },
    bank: '102491002011',
    channel: 'ebank',
    remark: '货款',
    device: { id: `dev-${n % 50}`, ip: '203.0.113.7', mac: '02:00:5e:00:53:01' },
    operator: `op-${n % 9}`,
  };
}

/** Mulberry32. */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function body(lines: readonly string[]): Uint8Array {
  return new TextEncoder().encode(lines.join('\n'));
}
