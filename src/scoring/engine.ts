import { createHash } from 'node:crypto';
import { dayMs, dayNumber, formatShanghai, shanghaiOffsetMs } from '../domain/bank-day.js';
import { role, frameFlag } from '../domain/frame.js';
import type { Hit, HitParty } from '../domain/hit.js';
import { accountKinds, transactionStatuses } from '../domain/transaction.js';
import { amountClassOf, createAmountSketches } from './amount-sketch.js';
import type { Batch } from './batch.js';
import { createByteTable } from './byte-table.js';
import { Evaluation } from './evaluation.js';
import { generate } from './generated.js';
import { substitute } from './explanation.js';
import { createHistory } from './history.js';
import { evidence } from './history-walk.js';
import { LegLog, legWord } from './leg-log.js';
import { pairColumn, PairTable } from './pair-table.js';
import type { CompiledPattern, PatternSet } from './pattern-set.js';
import { baseBit, column, type PlannedStream } from './plan.js';
import type { Pattern } from './pattern.js';
import { createPrefetch } from './prefetch.js';
import { SubjectRows } from './subject-rows.js';
import { type Helper, prelude } from './typed-code.js';
import { pairMemoryMs } from './vocabulary.js';
import type { PartyView, TransactionView } from './transaction-view.js';

/**
 * Scores the legs of one partition: a pure function of the legs so far, this leg and the pattern set. No clock, no
 * randomness, no I/O; the same legs in the same order give the same hits, byte for byte.
 */
export interface ScoringEngine {
  readonly patternSet: PatternSet;
  /**
   * Brings the legs of one transaction that fall to this partition into the state and appends what hits.
   * `hits` null only warms the state. Failed and reversed transactions change nothing.
   */
  score(view: TransactionView, roles: number, flags: number, receivedAtMs: number, hits: Hit[] | null): void;
  /** The same for a batch, faster. */
  scoreBatch(batch: Batch, hits: Hit[] | null): void;
  /** Takes over a set that keeps the same state; false where the state would have to be built anew. */
  adopt(set: PatternSet): boolean;
  stats(): EngineStats;
}

export interface EngineStats {
  /** Accounts seen on either side. */
  readonly accounts: number;
  /** Accounts with a history of their own. */
  readonly subjects: number;
  readonly legs: number;
  readonly pairs: number;
  readonly bytes: number;
}

/** How much later than the newest transaction a leg may come and still find all legs of its windows. */
const latenessMs = 3 * dayMs;
const sweepEveryTransactions = 4_096;
/** As in `PartyView.kind`. */
const corporateKind = accountKinds.indexOf('corporate') + 1;
const personalKind = accountKinds.indexOf('personal') + 1;
/** Pending transactions are scored, failed and reversed ones are not. */
const lastScoredStatus = transactionStatuses.indexOf('pending');
const evidenceMost = 20;

export function createEngine(set: PatternSet): ScoringEngine {
  const { plan } = set;
  let patternSet = set;
  const accounts = createByteTable();
  const legs = new LegLog();
  const pairs = new PairTable(plan.distinctBits.length);
  const rows = new SubjectRows(plan);
  const sketches = plan.sketches.map(({ windowMs }) => createAmountSketches(windowMs));
  const sketchedBits = plan.sketches.reduce((bits, { bit }) => bits | bit, 0);
  const history = createHistory(plan, legs, pairs, rows);
  /** No pattern asks about personal accounts: their legs are nobody's history. */
  const skippedKind = plan.keepsPersonal ? -1 : personalKind;
  const prefetch = createPrefetch(accounts, rows, pairs, legs);
  const leg = new Evaluation(legs, pairs, sketches, plan.sketches);
  const legStreams = plan.streams.filter(({ of }) => of === 'debit' || of === 'credit' || of === 'any');
  const plainStreams = legStreams.filter(({ usesHistory }) => !usesHistory);
  const historyStreams = legStreams.filter(({ usesHistory }) => usesHistory);
  let debit: Asked = askNothing;
  let credit: Asked = askNothing;
  const held: number[] = [];
  let latestMs = -Infinity;
  let sinceSweep = 0;
  takePatterns(set);

  function takePatterns(taken: PatternSet): void {
    const scored = taken.patterns.filter(({ state }) => state === 'active' || state === 'shadow');
    debit = ask(
      scored.filter(({ pattern }) => pattern.on !== 'credit'),
      taken.helpers,
    );
    credit = ask(
      scored.filter(({ pattern }) => pattern.on !== 'debit'),
      taken.helpers,
    );
  }

  function scoreTransaction(
    payer: number,
    payee: number,
    roles: number,
    flags: number,
    receivedAtMs: number,
    hits: Hit[] | null,
  ): void {
    const { timeMs } = leg.view;
    legs.begin();
    leg.timeMs = timeMs;
    leg.day = dayNumber(timeMs);
    leg.hour = Math.floor((timeMs + shanghaiOffsetMs - leg.day * dayMs) / 3_600_000);
    if (timeMs > latestMs) latestMs = timeMs;
    const { payer: payerView, payee: payeeView } = leg.view;
    if ((roles & role.debit) !== 0 && payerView.kind !== skippedKind) scoreLeg(true, payer, payee, flags, receivedAtMs, hits);
    if ((roles & role.credit) !== 0 && payeeView.kind !== skippedKind) scoreLeg(false, payee, payer, flags, receivedAtMs, hits);
    if (++sinceSweep < sweepEveryTransactions) return;
    sinceSweep = 0;
    history.sweep(latestMs - plan.legsMs - latenessMs);
  }

  function scoreLeg(
    isDebit: boolean,
    subject: number,
    other: number,
    flags: number,
    receivedAtMs: number,
    hits: Hit[] | null,
  ): void {
    const { view } = leg;
    leg.isDebit = isDebit;
    leg.self = isDebit ? view.payer : view.payee;
    leg.other = isDebit ? view.payee : view.payer;
    const row = rows.rowOf(subject);
    leg.subject = subject;
    leg.row = rows.numbers;
    leg.base = row * rows.width;
    if ((flags & frameFlag.maybeResent) !== 0 && isCounted()) return;
    const previousMs = leg.row[leg.base + column.clockMs]!;
    leg.previousLegMs = previousMs;
    leg.late = leg.timeMs < previousMs;
    leg.clockMs = leg.late ? previousMs : leg.timeMs;
    leg.pair = pairs.find(subject, other, latestMs - pairMemoryMs);
    const pairRow = pairs.numbers;
    const pairBase = leg.pair * pairs.width;
    leg.pairLastDebitMs = pairRow[pairBase + pairColumn.lastDebitMs]!;
    leg.pairLastCreditMs = pairRow[pairBase + pairColumn.lastCreditMs]!;

    history.advance(leg);
    let streams = baseBit.any | (isDebit ? baseBit.debit : baseBit.credit);
    for (const stream of plainStreams) if (belongs(stream, isDebit)) streams |= stream.bit;
    history.add(leg, streams);
    history.settleLots(leg);
    for (const stream of historyStreams) if (belongs(stream, isDebit)) history.join(leg, stream.bit);

    if (hits) {
      const asked = isDebit ? debit : credit;
      asked.evaluate(leg, held);
      if (held.length > 0) {
        for (const p of held) hits.push(hitOf(asked.patterns[p]!, leg, receivedAtMs));
        held.length = 0;
      }
    }

    if ((streams & sketchedBits) !== 0) addToSketches(streams);
    leg.row[leg.base + column.clockMs] = leg.clockMs;
    const lastColumn = pairBase + (isDebit ? pairColumn.lastDebitMs : pairColumn.lastCreditMs);
    if (leg.timeMs > pairRow[lastColumn]!) pairRow[lastColumn] = leg.timeMs;
  }

  function numberOf(party: PartyView): number {
    return accounts.intern(leg.view.bytes, party.accountStart, party.accountEnd, party.accountHash);
  }

  function belongs(stream: PlannedStream, isDebit: boolean): boolean {
    if (stream.of === 'debit' ? !isDebit : stream.of === 'credit' && isDebit) return false;
    return !stream.when || stream.when(leg);
  }

  function addToSketches(streams: number): void {
    const amountClass = amountClassOf(leg.view.amountFen);
    for (let k = 0; k < sketches.length; k++) {
      const { bit, column: at } = plan.sketches[k]!;
      if ((streams & bit) !== 0) sketches[k]!.add(leg.row, leg.base + at, amountClass, leg.clockMs);
    }
  }

  /** Whether this very transaction is among the subject's legs of the same instant already. */
  function isCounted(): boolean {
    const { view } = leg;
    const side = leg.isDebit ? baseBit.debit : baseBit.credit;
    for (
      let slot = leg.row[leg.base + column.newest]!;
      slot >= 0 && legs.timeMs(slot) >= leg.timeMs;
      slot = legs.word(slot, legWord.previous)
    ) {
      if ((legs.word(slot, legWord.streams) & side) !== 0 && legs.hasTransactionId(slot, view.bytes, view.idStart, view.idEnd))
        return true;
    }
    return false;
  }

  return {
    get patternSet() {
      return patternSet;
    },
    score(view, roles, flags, receivedAtMs, hits) {
      if (view.status > lastScoredStatus) return;
      leg.view = view;
      scoreTransaction(numberOf(view.payer), numberOf(view.payee), roles, flags, receivedAtMs, hits);
    },
    scoreBatch(batch, hits) {
      prefetch.run(batch);
      for (let i = 0; i < batch.count; i++) {
        const view = batch.views[i]!;
        if (view.status > lastScoredStatus) continue;
        leg.view = view;
        scoreTransaction(
          prefetch.payers[i]!,
          prefetch.payees[i]!,
          batch.roles[i]!,
          batch.flags[i]!,
          batch.receivedAtMs[i]!,
          hits,
        );
      }
    },
    adopt(next) {
      if (next.planId !== patternSet.planId) return false;
      // The plan's own closures stay those of the first set: equal ids mean equal meaning. Conditions are the new ones.
      patternSet = next;
      takePatterns(next);
      return true;
    },
    stats: () => ({
      accounts: accounts.size,
      subjects: rows.size,
      legs: legs.legs,
      pairs: pairs.size,
      bytes:
        accounts.bytesUsed() +
        legs.bytesUsed() +
        pairs.bytesUsed() +
        rows.bytesUsed() +
        history.bytesUsed() +
        sketches.reduce((sum, sketch) => sum + sketch.bytesUsed(), 0),
    }),
  };
}

/** The patterns that are asked on one side, as one function: it appends the places of those that hold. */
interface Asked {
  readonly patterns: readonly CompiledPattern[];
  evaluate(leg: Evaluation, held: number[]): void;
}

const askNothing: Asked = { patterns: [], evaluate: () => undefined };

function ask(patterns: readonly CompiledPattern[], helpers: readonly Helper[]): Asked {
  const questions = (subjects: Pattern['subjects']): string =>
    patterns.map(({ code, pattern }, p) => (pattern.subjects === subjects ? `if (${code}) held.push(${p});` : '')).join('\n');
  const body = `${prelude}\n${questions('any')}\nif (self.kind !== ${corporateKind}) return;\n${questions('corporate')}`;
  const make = generate<(h: readonly Helper[]) => Asked['evaluate']>(['h'], `return (leg, held) => { ${body} };`);
  return { patterns, evaluate: make(helpers) };
}

function hitOf(
  { pattern, state, score, condition, parts, reasonZh, reasonEn, looksAt }: CompiledPattern,
  leg: Evaluation,
  receivedAtMs: number,
): Hit {
  const { view } = leg;
  const transaction = view.id;
  const bank = view.text(view.bankStart, view.bankEnd) || view.text(view.payer.bankStart, view.payer.bankEnd);
  const account = view.text(leg.self.accountStart, leg.self.accountEnd);
  return {
    id: createHash('sha256')
      .update([bank, transaction, pattern.id, pattern.version, account, leg.isDebit ? 'debit' : 'credit'].join('\n'))
      .digest('hex')
      .slice(0, 32),
    pattern: pattern.id,
    version: pattern.version,
    transaction,
    ...(bank ? { bank } : {}),
    time: formatShanghai(view.timeMs),
    subject: { kind: 'account', id: account },
    side: pattern.side,
    severity: pattern.severity,
    score,
    state: state === 'active' ? 'active' : 'shadow',
    explanation: { zh: reasonZh(leg), en: reasonEn(leg), condition: substitute(condition, parts, leg) },
    evidence: evidence(leg, looksAt.bits, looksAt.spanMs, evidenceMost),
    amountFen: view.amountFen,
    currency: view.text(view.currencyStart, view.currencyEnd) || 'CNY',
    payer: partyOf(view, view.payer),
    payee: partyOf(view, view.payee),
    family: pattern.family,
    title: pattern.title,
    advice: pattern.advice,
    audience: pattern.audience,
    ...(pattern.bankCode ? { bankCode: pattern.bankCode } : {}),
    late: leg.late,
    receivedAtMs,
  };
}

function partyOf(view: TransactionView, party: PartyView): HitParty {
  const name = view.text(party.nameStart, party.nameEnd);
  const kind = accountKinds[party.kind - 1];
  const bank = view.text(party.bankStart, party.bankEnd);
  const creditCode = view.text(party.creditCodeStart, party.creditCodeEnd);
  const region = view.text(party.regionStart, party.regionEnd);
  return {
    account: view.text(party.accountStart, party.accountEnd),
    ...(name ? { name } : {}),
    ...(kind ? { kind } : {}),
    ...(bank ? { bank } : {}),
    ...(creditCode ? { creditCode } : {}),
    ...(region ? { region } : {}),
  };
}
