import { dayNumber, formatDay } from '../domain/bank-day.js';
import { type CastProfile, type Identity, identityOf } from './identity.js';
import type { Ledger } from './ledger.js';
import type { Payment, PlannedPayment, PlannedRecord, Typology } from './payment.js';
import { type Population, roleOf } from './population.js';
import { type AnyStagedRecord, referenceLine } from './reference-line.js';
import type { Render } from './render.js';

export interface SimulatedLine {
  /** One line of NDJSON in UTF-8, without the line's end. */
  readonly json: Uint8Array;
  /** The line is a reference record, no transaction. */
  readonly isReference?: true;
  /** Present on the transactions of planted schemes only. */
  readonly label?: Label;
  /** Counts the schemes of the file: the transactions of one scheme share it. */
  readonly scheme?: number;
}

export interface Label {
  readonly transaction: string;
  readonly label: 1;
  readonly typology: Typology;
  readonly scheme: number;
  /** Accounts of the transaction that belong to the case; the case's accounts are those of all its transactions. */
  readonly accounts: readonly string[];
}

/** Books payments and writes them down. */
export interface Clerk {
  post(payment: Payment, timeMs: number, isSettled: boolean): SimulatedLine;
  postPlanned(planned: PlannedPayment): SimulatedLine;
  refer(record: AnyStagedRecord, timeMs: number): SimulatedLine;
}

export interface ClerkParts {
  readonly population: Population;
  readonly profiles: ReadonlyMap<number, CastProfile>;
  readonly firstDay: number;
  readonly ledger: Ledger;
  readonly render: Render;
}

export function createClerk({ population, profiles, firstDay, ledger, render }: ClerkParts): Clerk {
  const dateText = createDateText();
  let transactions = 0;
  let records = 0;
  const identity = (account: number): Identity => identityOf(population, profiles, firstDay, account);

  function write(payment: Payment, timeMs: number, isSettled: boolean): { id: string; json: Uint8Array } {
    if (isSettled) ledger.move(payment.payer, payment.payee, payment.amountFen);
    const id = `${dateText(timeMs)}-${String(++transactions).padStart(7, '0')}`;
    const payerBalanceFen = ledger.balanceFen(payment.payer);
    const payeeBalanceFen = ledger.balanceFen(payment.payee);
    return { id, json: render({ payment, id, timeMs, isSettled, payerBalanceFen, payeeBalanceFen }) };
  }

  return {
    post: (payment, timeMs, isSettled) => ({ json: write(payment, timeMs, isSettled).json }),
    postPlanned(planned) {
      const { payer, payee, amountFen, typology, scheme, timeMs, drainTo } = planned;
      ledger.release(payer, amountFen);
      const { id, json } = write(drainTo === undefined ? planned : drained(ledger, planned, drainTo), timeMs, true);
      const own = [payer, payee].filter((account) => roleOf(population, account) !== 'institution');
      const accounts = own.map((account) => identity(account).account);
      return { json, label: { transaction: id, label: 1, typology, scheme, accounts }, scheme };
    },
    refer(record, timeMs) {
      const id = `R-${dateText(timeMs)}-${String(++records).padStart(7, '0')}`;
      return { json: referenceLine(record, id, timeMs, (account) => identity(account).account), isReference: true };
    },
  };
}

/** The planned payments and records up to an instant, in order of time; records first where the times are the same. */
export function* dueUntil(timeMs: number, queue: PlannedQueue, clerk: Clerk): Generator<SimulatedLine> {
  for (;;) {
    const payment = queue.payments[queue.paid];
    const record = queue.records[queue.referred];
    const paymentMs = payment?.timeMs ?? Number.POSITIVE_INFINITY;
    const recordMs = record?.timeMs ?? Number.POSITIVE_INFINITY;
    if (Math.min(paymentMs, recordMs) > timeMs) return;
    if (record && recordMs <= paymentMs) {
      queue.referred++;
      yield clerk.refer(record.record, recordMs);
    } else if (payment) {
      queue.paid++;
      yield clerk.postPlanned(payment);
    } else return;
  }
}

export interface PlannedQueue {
  readonly payments: readonly PlannedPayment[];
  readonly records: readonly Omit<PlannedRecord, 'scheme'>[];
  paid: number;
  referred: number;
}

/** Two lists that are sorted by time, as one. */
export function mergedByTime(a: PlannedQueue['records'], b: PlannedQueue['records']): PlannedQueue['records'] {
  return [...b, ...a].toSorted((one, other) => one.timeMs - other.timeMs);
}

/** The payment with as much more as leaves only a share of what the payer may spend. */
function drained(ledger: Ledger, payment: PlannedPayment, leftShare: number): PlannedPayment {
  const wholeFen = Math.floor((ledger.availableFen(payment.payer) * (1 - leftShare)) / 10_000) * 10_000;
  return { ...payment, amountFen: Math.max(payment.amountFen, wholeFen) };
}

/** `20260701`, formatted once a day. */
function createDateText(): (timeMs: number) => string {
  let day = Number.NaN;
  let text = '';
  return (timeMs) => {
    if (dayNumber(timeMs) === day) return text;
    day = dayNumber(timeMs);
    return (text = formatDay(day).replaceAll('-', ''));
  };
}
