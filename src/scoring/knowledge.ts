import { dayMs } from '../domain/bank-day.js';
import type { Forward, NoticeForward, UseForward } from '../domain/forward.js';
import { transactionTimeMs } from '../domain/event-time.js';
import { type Reference, type SharedKind, sharedKey, sharedKinds } from '../domain/reference.js';
import { accountForm } from '../domain/transaction.js';
import type { ByteTable } from './byte-table.js';
import type { Evaluation, Memory } from './evaluation.js';
import { never } from './pair-table.js';
import { legWord } from './leg-log.js';
import { baseBit, column, firstContactMs, type Plan } from './plan.js';
import { pastPayment, recordView } from './record-view.js';
import { createPaymentThings, paymentKinds } from './payment-things.js';
import { openedKey, thingKey } from './shared-firms.js';
import { snapshotted, type Snapshotted } from './snapshot-state.js';
import type { SubjectRows } from './subject-rows.js';
import { keyOfBytes, keyOfText } from './byte-key.js';
import { traceRules } from './traces.js';
import { hashBytes, type PartyView, personalKind, type TransactionView } from './transaction-view.js';

/**
 * What the engine learns besides legs: reference records, shared devices and persons, and money on its way. What belongs to
 * another partition is told to it; what belongs to this one is done at once, in order.
 */
export interface Knowledge {
  /** Kinds of data that were ever sent. */
  readonly seen: ReadonlySet<string>;
  /** Another payment is in hand. */
  begin(): void;
  /** Notes the device, IP, MAC and operator of the leg in hand. */
  noteKeys(): void;
  /** The payment in hand leaves the payer: what travels on, and what it used. */
  leave(payer: number, isHistoryKept: boolean): void;
  /** Does what this partition has told itself. */
  settle(): void;
  takeReference(reference: Reference, owns: (key: string) => boolean): void;
  takeForward(forward: Forward, view: TransactionView | null): void;
  drain(): readonly OutgoingForward[];
  sweep(beforeMs: number, accountsMost: number): void;
  /** Only while nothing waits to be told. */
  readonly snapshot: Snapshotted;
}

export interface OutgoingForward {
  readonly forward: Forward;
  /** The payment it is about as JSON; null where there is none. */
  readonly transaction: Uint8Array | null;
  readonly receivedAtMs: number;
}

interface Options {
  readonly plan: Plan;
  readonly memory: Memory;
  readonly accounts: ByteTable;
  readonly rows: SubjectRows;
  readonly leg: Evaluation;
  /** Undefined where all keys are this partition's. */
  readonly owns: ((key: string) => boolean) | undefined;
  /** Asks the patterns of the occasion about the leg in hand. */
  readonly ask: (occasion: 'arrival' | 'use' | 'record') => boolean;
}

/** Seeds of `keyOfBytes`: what kinds of keys there are. */
const seedOf = { account: 1, circle: 2 } as const;

/** Bounds the look back over one account. */
const followedLegsMax = 500;

/** How much later than a use others may be that came before it and count together with it. */
const lateUseMs = dayMs;

const encoder = new TextEncoder();

export function createKnowledge({ plan, memory, accounts, rows, leg, owns, ask }: Options): Knowledge {
  const { records, firms, traces, lists, rates } = memory;
  const seen = new Set<string>();
  const keepsTraces = plan.keeps('traces') || plan.keeps('gathered');
  const keepsKin = plan.keeps('kin');
  const outgoing: OutgoingForward[] = [];
  const waiting: { readonly forward: Forward; readonly view: TransactionView }[] = [];
  const blankRow = rows.blankRow();
  const things = createPaymentThings({ plan, memory, leg, seen, owns, tell, ask: askOfUse });

  function accountNumber(account: string): number {
    const bytes = encoder.encode(account);
    return accounts.intern(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
  }

  function isOwn(key: string): boolean {
    return owns === undefined || owns(key);
  }

  function tell(forward: Forward, transaction: boolean): void {
    const { view } = leg;
    if (isOwn(forward.to)) {
      waiting.push({ forward, view });
      return;
    }
    outgoing.push({
      forward,
      transaction: transaction ? view.bytes.slice(view.start, view.end) : null,
      receivedAtMs: leg.receivedAtMs,
    });
  }

  function askOfUse(kind: number, key: number, value: string): void {
    leg.at(leg.view.timeMs);
    leg.isDebit = true;
    leg.self = leg.view.payer;
    leg.other = leg.view.payee;
    leg.late = false;
    // A thing has no legs of its own: nobody else's norm may show in its hits.
    leg.row = blankRow;
    leg.base = 0;
    leg.useKind = kind;
    leg.useKey = key;
    leg.useValue = value;
    if (ask('use')) return;
    // Payments of one body reach a thing's partition in any order. Those that were asked about before this one came did not count
    // it, and it does not count them: so it is asked about once more at the hour of the latest.
    const { timeMs } = leg.view;
    const latestMs = firms.latestMs(key, timeMs + lateUseMs);
    if (latestMs <= timeMs) return;
    leg.at(latestMs);
    leg.late = true;
    ask('use');
    leg.at(timeMs);
  }

  function circleOf(account: number, party: PartyView): number {
    const legalRep = records.profile(account)?.legalRep;
    if (legalRep) return keyOfText(seedOf.circle, legalRep);
    // A person's own name may be that of the legal representative where a path began.
    if (party.kind !== personalKind || party.nameStart < 0) return 0;
    return keyOfBytes(seedOf.circle, leg.view.bytes, party.nameStart, party.nameEnd);
  }

  function accountKey(party: PartyView): number {
    return keyOfBytes(seedOf.account, leg.view.bytes, party.accountStart, party.accountEnd);
  }

  function leave(payer: number, isKept: boolean): void {
    const { view } = leg;
    if (isKept) things.leave(payer);
    if (!keepsTraces) return;
    const isFirst =
      isKept && leg.pairLastDebitMs <= leg.timeMs - firstContactMs && leg.pairLastCreditMs <= leg.timeMs - firstContactMs;
    const left = traces.leave(
      payer,
      leg.timeMs,
      view.amountFen,
      isFirst,
      accountKey(view.payer),
      isKept ? circleOf(payer, view.payer) : 0,
    );
    if (!left) return;
    tell(
      {
        kind: 'traces',
        to: view.text(view.payee.accountStart, view.payee.accountEnd),
        caseLevel: Number.isNaN(left.caseLevel) ? -1 : left.caseLevel,
        caseMs: Number.isNaN(left.caseMs) ? 0 : left.caseMs,
        payerNew: isKept ? newPayeesOf() : 0,
        traces: left.traces,
      },
      true,
    );
  }

  /** New counterparties that the payer has paid within 7 days, this one included. The evaluation stands on its debit leg. */
  function newPayeesOf(): number {
    return plan.firstContacts < 0 ? 0 : memory.named.count(leg, plan.firstContacts);
  }

  function arrive(forward: Forward & { kind: 'traces' }): void {
    const { view } = leg;
    const payee = accounts.intern(view.bytes, view.payee.accountStart, view.payee.accountEnd, view.payee.accountHash);
    const arrival = traces.arrive(
      payee,
      accountKey(view.payer),
      view.timeMs,
      view.amountFen,
      { ...forward, caseLevel: forward.caseLevel < 0 ? Number.NaN : forward.caseLevel },
      accountKey(view.payee),
      circleOf(payee, view.payee),
    );
    if (!arrival.isNews) return;
    // The news may come late: what the account has paid on since then is told as well.
    if (!Number.isNaN(arrival.caseLevel))
      followUp(payee, view.payee, arrival.caseLevel, view.timeMs, view.timeMs + traceRules.caseMs);
    standOn(payee, false);
    leg.arrival = arrival;
    ask('arrival');
    leg.arrival = undefined;
  }

  /**
   * Payments that an account of a case has made already pass its level on as those to come will. What is told of them is what
   * the legs hold: number, time, amount and the two accounts.
   */
  function followUp(account: number, party: PartyView | string, level: number, fromMs: number, toMs: number): void {
    const row = rows.known(account);
    if (row < 0 || level >= traceRules.caseLevelMax) return;
    const { legs, pairs } = memory;
    const { view } = leg;
    const payer = typeof party === 'string' ? party : view.text(party.accountStart, party.accountEnd);
    let slot = rows.numbers[row * rows.width + column.newest]!;
    for (let steps = 0; slot >= 0 && steps < followedLegsMax; steps++, slot = legs.word(slot, legWord.previous)) {
      const timeMs = legs.timeMs(slot);
      if (timeMs < fromMs) return;
      if (timeMs > toMs || (legs.word(slot, legWord.streams) & baseBit.debit) === 0) continue;
      const payee = accounts.text(pairs.otherOf(legs.word(slot, legWord.pair)));
      const id = legs.transactionId(slot);
      const payment = pastPayment({ id, timeMs, amountFen: legs.amountFen(slot), payer, payee });
      const forward = { kind: 'traces', to: payee, caseLevel: level, caseMs: fromMs, payerNew: 0, traces: [] } as const;
      if (isOwn(payee)) waiting.push({ forward, view: payment });
      else
        outgoing.push({ forward, transaction: payment.bytes.slice(payment.start, payment.end), receivedAtMs: leg.receivedAtMs });
    }
  }

  /** Puts the evaluation on an account without a leg of its own: its windows as they are. */
  function standOn(account: number, isDebit: boolean): void {
    const { view } = leg;
    leg.at(view.timeMs);
    leg.isDebit = isDebit;
    leg.sharedKeys.fill(0);
    leg.self = isDebit ? view.payer : view.payee;
    leg.other = isDebit ? view.payee : view.payer;
    leg.subject = account;
    const row = rows.known(account);
    leg.row = row >= 0 ? rows.numbers : blankRow;
    leg.base = row >= 0 ? row * rows.width : 0;
    const clockMs = leg.row[leg.base + column.clockMs]!;
    leg.previousLegMs = clockMs;
    leg.clockMs = clockMs > never ? clockMs : view.timeMs;
    leg.late = view.timeMs < clockMs;
    leg.slot = -1;
    const other = isDebit ? view.payee : view.payer;
    leg.otherNumber = accounts.intern(view.bytes, other.accountStart, other.accountEnd, other.accountHash);
    leg.pair = row >= 0 ? memory.pairs.known(account, leg.otherNumber) : -1;
    leg.pairLastDebitMs = memory.pairs.lastMs(leg.pair, true);
    leg.pairLastCreditMs = memory.pairs.lastMs(leg.pair, false);
  }

  /** An enterprise uses a shared thing of this partition. `view` of the leg is the payment or record that tells. */
  function use({ shared, value, firm, account }: UseForward): void {
    const { view } = leg;
    const key = thingKey(shared, value);
    const isKin = keepsKin && !(paymentKinds as readonly SharedKind[]).includes(shared);
    const before = isKin ? firms.firms(key, -Infinity, Infinity) : 0;
    if (firms.use(key, firms.nameOfText(firm), firms.nameOfText(account), view.timeMs))
      askOfUse(sharedKinds.indexOf(shared), key, value);
    if (!isKin) return;
    const now = firms.firms(key, -Infinity, Infinity);
    // Those that were told before learn of a change; the one that came learns how many there are.
    const told = now === before ? [account] : firms.accountsOf(key);
    for (const each of told) tell({ ...notice('firms', each, shared, value), firms: now }, false);
  }

  function notice(what: NoticeForward['what'], account: string, shared: SharedKind, value: string): NoticeForward {
    return { kind: 'notice', to: account, account, what, shared, value, firms: 0, timeMs: leg.view.timeMs };
  }

  function heed({ what, account, shared, value, firms: count, timeMs }: NoticeForward): void {
    switch (what) {
      case 'firms':
        return records.takeFirms(accountNumber(account), shared, count);
      case 'kin-stopped':
        return records.takeKinStop(accountNumber(account), timeMs);
      case 'ask-kin-stopped':
        for (const kin of firms.accountsOf(thingKey(shared, value)))
          if (kin !== account) tell({ ...notice('kin-stopped', kin, shared, value), timeMs }, false);
    }
  }

  function takeForward(forward: Forward, view: TransactionView | null): void {
    if (view && view !== leg.view) leg.take(view);
    if (forward.kind === 'traces') arrive(forward);
    else if (forward.kind === 'use') use(forward);
    else heed(forward);
  }

  function useByRecord(
    account: string,
    firm: string,
    things: readonly Thing[],
    ownsKey: (key: string) => boolean,
    isOpening: boolean,
  ): void {
    for (const [shared, value] of things) {
      const to = sharedKey(shared, value);
      if (isOpening && ownsKey(to))
        firms.use(openedKey(shared, value), firms.nameOfText(firm), firms.nameOfText(account), leg.view.timeMs);
      if (ownsKey(to)) use({ kind: 'use', to, shared, value, firm, account });
    }
  }

  function takeReference(reference: Reference, ownsKey: (key: string) => boolean): void {
    seen.add(reference.type === 'list' ? `list:${reference.list}` : reference.type);
    const timeMs = transactionTimeMs(reference.time);
    if (reference.type === 'exchange-rate') return rates.take(reference.currency, reference.fenPer100, timeMs);
    if (reference.type === 'list') {
      lists.take(reference);
      if (reference.list === 'case-accounts' && reference.action === 'add' && keepsTraces)
        // Names and codes may stand on the list as well: they are nobody's account.
        for (const entry of reference.entries)
          if (accountForm.test(entry) && ownsKey(entry)) traces.setCase(accountNumber(entry), 0, timeMs);
      return;
    }
    const isOwn = ownsKey(reference.account);
    const account = isOwn ? accountNumber(reference.account) : -1;
    leg.take(recordView(reference, isOwn ? records.profile(account) : undefined));
    leg.recordType = reference.type;
    leg.recordWhat = '';
    leg.recordAction = '';
    switch (reference.type) {
      case 'profile':
        if (isOwn) records.takeProfile(account, reference);
        useByRecord(reference.account, reference.creditCode ?? reference.account, sharedOf(reference), ownsKey, false);
        break;
      case 'account-change':
        if (isOwn) records.takeChange(account, reference.what, timeMs, reference.id);
        leg.recordWhat = reference.what;
        if (reference.what === 'opened')
          useByRecord(
            reference.account,
            reference.account,
            sharedOf({ legalRepId: reference.legalRepId, agent: reference.agent }),
            ownsKey,
            true,
          );
        break;
      case 'login':
        if (isOwn) records.takeLogin(account, reference);
        break;
      case 'stop-pay':
        leg.recordAction = reference.action;
        if (isOwn) stopPay(account, reference.account, reference.action, timeMs);
        break;
      case 'case-account':
        // Whoever is in a case is on the list of case accounts, also where its counterparties are asked about.
        lists.take({ ...reference, type: 'list', list: 'case-accounts', action: 'add', entries: [reference.account] });
        seen.add('list:case-accounts');
        if (isOwn && keepsTraces) {
          traces.setCase(account, reference.level, timeMs);
          // The report comes after the money: the account took it some time within the day before.
          followUp(account, reference.account, reference.level, timeMs - traceRules.caseMs, timeMs);
        }
        break;
    }
    if (!isOwn) return;
    standOn(account, true);
    ask('record');
  }

  function stopPay(account: number, name: string, action: 'stop' | 'freeze' | 'release', timeMs: number): void {
    records.takeStop(account, action, timeMs);
    if (!keepsKin || action === 'release') return;
    const profile = records.profile(account);
    const device = things.deviceOf(account);
    const known = [...(profile ? sharedOf(profile) : []), ...(device ? [['device', device] as const] : [])];
    for (const [shared, value] of known)
      tell({ ...notice('ask-kin-stopped', name, shared, value), to: sharedKey(shared, value), timeMs }, false);
  }

  return {
    seen,
    begin: () => things.begin(),
    noteKeys: () => things.note(),
    leave,
    settle() {
      things.settle();
      for (let next = waiting.shift(); next; next = waiting.shift()) takeForward(next.forward, next.view);
    },
    takeReference,
    takeForward,
    drain: () => outgoing.splice(0),
    sweep: (beforeMs, accountsMost) => traces.sweep(beforeMs, accountsMost),
    snapshot: snapshotted(
      () => {
        if (outgoing.length + waiting.length > 0)
          throw new Error('the state of an engine is saved only when its forwards were drained');
        return { seen: [...seen], devices: things.snapshot.save() };
      },
      (state) => {
        seen.clear();
        for (const kind of state.seen) seen.add(kind);
        things.snapshot.load(state.devices);
      },
    ),
  };
}

type Thing = readonly [SharedKind, string];

/** What of a profile others may share; `''` and undefined are nothing. */
function sharedOf(of: {
  readonly legalRepId?: string | undefined;
  readonly legalRep?: string | undefined;
  readonly phone?: string | undefined;
  readonly address?: string | undefined;
  readonly agent?: string | undefined;
}): Thing[] {
  const things: readonly (readonly [SharedKind, string | undefined])[] = [
    ['legal-rep', of.legalRepId || of.legalRep],
    ['phone', of.phone],
    ['address', of.address],
    ['agent', of.agent],
  ];
  return things.filter((thing): thing is Thing => Boolean(thing[1]));
}
