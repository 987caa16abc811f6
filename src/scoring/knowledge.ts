import type { Forward, NoticeForward, UseForward } from '../domain/forward.js';
import { transactionTimeMs } from '../domain/transaction-record.js';
import { type Reference, type SharedKind, sharedKey, sharedKinds } from '../domain/reference.js';
import { accountKinds } from '../domain/transaction.js';
import type { ByteTable } from './byte-table.js';
import type { Evaluation, Memory } from './evaluation.js';
import { never } from './pair-table.js';
import { legWord } from './leg-log.js';
import { baseBit, column, firstContactMs, type Plan } from './plan.js';
import { pastPayment, recordView } from './record-view.js';
import { snapshotted, type Snapshotted } from './snapshot-state.js';
import type { SubjectRows } from './subject-rows.js';
import { keyOfBytes, keyOfText } from './byte-key.js';
import { traceRules } from './traces.js';
import { hashBytes, type PartyView, type TransactionView } from './transaction-view.js';

/**
 * What the engine learns besides legs: reference records, shared devices and persons, and money on its way. What belongs to
 * another partition is told to it; what belongs to this one is done at once, in order.
 */
export interface Knowledge {
  /** Kinds of data that were ever sent. */
  readonly seen: ReadonlySet<string>;
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
  readonly owns: (key: string) => boolean;
  /** Asks the patterns of the occasion about the leg in hand. */
  readonly ask: (occasion: 'arrival' | 'use' | 'record') => void;
}

/** Kinds of things that payments name, in the order of `Evaluation.sharedKeys`. */
const paymentKinds = ['device', 'ip', 'mac', 'operator'] as const satisfies readonly SharedKind[];
const personalKind = accountKinds.indexOf('personal') + 1;
/** Seeds of `keyOfBytes`: what kinds of keys there are. */
const seedOf = { account: 1, circle: 2, shared: 16 } as const;

/** Bounds the look back over one account. */
const followedLegsMax = 500;

const encoder = new TextEncoder();

export function createKnowledge({ plan, memory, accounts, rows, leg, owns, ask }: Options): Knowledge {
  const { records, firms, uses, traces, lists, rates } = memory;
  const seen = new Set<string>();
  const keepsUses = plan.keeps('uses') || plan.keeps('kin');
  const keepsTraces = plan.keeps('traces') || plan.keeps('gathered');
  const keepsKin = plan.keeps('kin');
  const outgoing: OutgoingForward[] = [];
  const waiting: { readonly forward: Forward; readonly view: TransactionView }[] = [];
  /** The device an account used last: what kin of a stopped account are found by. */
  const lastDevice = new Map<number, string>();
  const blankRow = rows.blankRow();
  /** Which things of the payment in hand are news to their own partitions. */
  const isToTell = paymentKinds.map(() => false);

  function accountNumber(account: string): number {
    const bytes = encoder.encode(account);
    return accounts.intern(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
  }

  function tell(forward: Forward, transaction: boolean): void {
    const { view } = leg;
    if (owns(forward.to)) {
      waiting.push({ forward, view });
      return;
    }
    outgoing.push({
      forward,
      transaction: transaction ? view.bytes.slice(view.start, view.end) : null,
      receivedAtMs: leg.receivedAtMs,
    });
  }

  function spanOf(kind: number): readonly [number, number] {
    const { view } = leg;
    if (kind === 0) return [view.deviceStart, view.deviceEnd];
    if (kind === 1) return [view.ipStart, view.ipEnd];
    if (kind === 2) return [view.macStart, view.macEnd];
    return [view.operatorStart, view.operatorEnd];
  }

  function noteKeys(): void {
    if (!keepsUses) return;
    // They are the payer's: on the other leg there are none.
    if (!leg.isDebit) return void leg.sharedKeys.fill(0);
    for (let kind = 0; kind < paymentKinds.length; kind++) {
      const [start, end] = spanOf(kind);
      const key = start < 0 || end === start ? 0 : keyOfBytes(seedOf.shared + kind, leg.view.bytes, start, end);
      leg.sharedKeys[kind] = key;
      isToTell[kind] = key !== 0 && uses.note(leg.subject, kind, key, leg.timeMs);
    }
  }

  function useThings(payer: number): void {
    const { view } = leg;
    let account = '';
    let firm = '';
    for (let kind = 0; kind < paymentKinds.length; kind++) {
      const key = leg.sharedKeys[kind]!;
      if (key === 0) continue;
      const shared = paymentKinds[kind]!;
      if (!seen.has(shared)) seen.add(shared);
      if (!isToTell[kind]) continue;
      const [start, end] = spanOf(kind);
      const value = view.text(start, end);
      if (shared === 'device' && keepsKin) lastDevice.set(payer, value);
      if (account === '') {
        account = view.text(view.payer.accountStart, view.payer.accountEnd);
        firm = view.text(view.payer.creditCodeStart, view.payer.creditCodeEnd) || account;
      }
      tell({ kind: 'use', to: sharedKey(shared, value), shared, value, firm, account }, true);
    }
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
    if (isKept && keepsUses) useThings(payer);
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
      if (owns(payee)) waiting.push({ forward, view: payment });
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
  function use({ to, shared, value, firm, account }: UseForward): void {
    const { view } = leg;
    const isKin = keepsKin && !(paymentKinds as readonly SharedKind[]).includes(shared);
    const before = isKin ? firms.firms(to, -Infinity, Infinity) : 0;
    const isShared = firms.use(to, firm, account, view.timeMs);
    leg.at(view.timeMs);
    leg.isDebit = true;
    leg.self = view.payer;
    leg.other = view.payee;
    leg.late = false;
    // A thing has no legs of its own: nobody else's norm may show in its hits.
    leg.row = blankRow;
    leg.base = 0;
    leg.useKind = sharedKinds.indexOf(shared);
    leg.useKey = to;
    leg.useValue = value;
    if (isShared) ask('use');
    if (!isKin) return;
    const now = firms.firms(to, -Infinity, Infinity);
    // Those that were told before learn of a change; the one that came learns how many there are.
    const told = now === before ? [account] : firms.accountsOf(to);
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
        for (const kin of firms.accountsOf(sharedKey(shared, value)))
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
      if (isOpening && ownsKey(to)) firms.use(openedKey(to), firm, account, leg.view.timeMs);
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
        for (const entry of reference.entries) if (ownsKey(entry)) traces.setCase(accountNumber(entry), 0, timeMs);
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
    const device = lastDevice.get(account);
    const things = [...(profile ? sharedOf(profile) : []), ...(device ? [['device', device] as const] : [])];
    for (const [shared, value] of things)
      tell({ ...notice('ask-kin-stopped', name, shared, value), to: sharedKey(shared, value), timeMs }, false);
  }

  return {
    seen,
    noteKeys,
    leave,
    settle() {
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
        return { seen: [...seen], lastDevice: () => [...lastDevice] };
      },
      (state) => {
        seen.clear();
        for (const kind of state.seen) seen.add(kind);
        lastDevice.clear();
        for (const [account, device] of state.lastDevice) lastDevice.set(account, device);
      },
    ),
  };
}

/** Accounts that a record says were opened by a person or agent, apart from those that profiles name. */
export function openedKey(key: string): string {
  return `opened ${key}`;
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
