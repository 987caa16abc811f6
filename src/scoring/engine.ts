import { dayMs } from '../domain/bank-day.js';
import type { Forward } from '../domain/forward.js';
import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import type { Reference } from '../domain/reference.js';
import { transactionStatuses } from '../domain/transaction.js';
import { createAccountRecords } from './account-records.js';
import { amountClassOf, createAmountSketches } from './amount-sketch.js';
import { type Asked, createAsked, nearMissesOf, type PatternStats } from './asked.js';
import { createBaselines } from './baselines.js';
import type { Batch } from './batch.js';
import { createByteTable } from './byte-table.js';
import { Evaluation, type Memory } from './evaluation.js';
import { createExchangeRates } from './exchange-rates.js';
import { createHistory, type StreamTest } from './history.js';
import { createHitMaker } from './hit-of.js';
import { generateJoin, type Joiner } from './joining.js';
import { createKnowledge, type OutgoingForward } from './knowledge.js';
import { LegLog, legWord } from './leg-log.js';
import { createLikeAmounts } from './like-amounts.js';
import { createLists } from './lists.js';
import { createNameHistory } from './name-history.js';
import { createNamedWindows } from './named-windows.js';
import { pairColumn, PairTable, pairWord } from './pair-table.js';
import type { CompiledPattern, PatternSet } from './pattern-set.js';
import { baseBit, column } from './plan.js';
import { createPrefetch } from './prefetch.js';
import { createFirms } from './shared-firms.js';
import { createSharedUse } from './shared-use.js';
import { type RestoredTree, type Saved, snapshotOfAll, snapshotted } from './snapshot-state.js';
import { SubjectRows } from './subject-rows.js';
import { createTraces } from './traces.js';
import { type PartyView, personalKind, type TransactionView } from './transaction-view.js';
import { functionOf } from './typed-code.js';
import { pairMemoryMs } from './vocabulary/definitions.js';

/**
 * Scores the legs of one partition: a pure function of the legs and records so far, this leg and the pattern set. No clock, no
 * randomness, no I/O; the same input in the same order gives the same hits, byte for byte.
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
  /** Takes a reference record in; `owns` says whether a key falls to this partition. */
  takeReference(reference: Reference, owns: (key: string) => boolean, receivedAtMs: number, hits: Hit[] | null): void;
  /** What another partition told; `view` is the payment it is about, null where there is none. */
  takeForward(forward: Forward, view: TransactionView | null, receivedAtMs: number, hits: Hit[] | null): void;
  /** What this partition has to tell others since the last call, in order. What it had to tell itself it has done already. */
  drainForwards(): readonly OutgoingForward[];
  /** Takes over a set that keeps the same state; false where the state would have to be built anew. */
  adopt(set: PatternSet): boolean;
  /**
   * All that was learnt, as it is: valid until the engine is used again. Forwards must have been drained. What of the patterns in
   * force was counted is no part of it.
   */
  save(): Saved;
  /** Takes over what an engine with an equal plan saved; only for an engine that has seen nothing. Throws `StateMismatch`. */
  load(state: RestoredTree): void;
  stats(): EngineStats;
  /** Of the patterns in force, since they were taken over. */
  patternStats(): readonly (PatternStats & { readonly nearMisses: ReadonlyMap<string, number> })[];
}

export interface EngineStats {
  /** Accounts seen on either side. */
  readonly accounts: number;
  /** Accounts with a history of their own. */
  readonly subjects: number;
  readonly legs: number;
  readonly pairs: number;
  readonly bytes: number;
  /** Kinds of data besides transactions that were ever sent: `profile`, `login`, `device`, `list:otc` … (see `needs`). */
  readonly seen: ReadonlySet<string>;
}

export interface EngineOptions {
  /** Whether a key's partition is this one; all are where it is left out. */
  readonly owns?: ((key: string) => boolean) | undefined;
  /** Nanoseconds of a monotonic clock, to measure what each pattern costs. It never changes a hit. */
  readonly measure?: () => number;
  /** One leg in so many is measured; 256 where it is left out. */
  readonly measuredEvery?: number;
}

/** How much later than the newest transaction a leg may come and still find all legs of its windows. */
const latenessMs = 3 * dayMs;
const sweepEveryTransactions = 4_096;
const rowsSweptMost = 512;
/** Pending transactions are scored, failed and reversed ones are not. */
const lastScoredStatus = transactionStatuses.indexOf('pending');

export function createEngine(set: PatternSet, { owns, measure, measuredEvery }: EngineOptions = {}): ScoringEngine {
  const { plan } = set;
  let patternSet = set;
  const accounts = createByteTable();
  const legs = new LegLog();
  const pairs = new PairTable(plan.distinctBits.length, plan.keeps('pairCounts'));
  const rows = new SubjectRows(plan);
  const named = createNamedWindows(plan, rows);
  const lists = createLists();
  const baselines = createBaselines();
  const sketches = plan.sketches.map(({ windowMs }) => createAmountSketches(windowMs));
  const hitOf = createHitMaker();
  const likeAmounts = createLikeAmounts(legs);
  const memory = {
    legs,
    likeAmounts,
    legsMs: plan.legsMs,
    pairs,
    named,
    lists,
    listNumbers: plan.lists.map((name) => lists.numberOf(name)),
    records: createAccountRecords(),
    names: createNameHistory(),
    uses: createSharedUse(),
    firms: createFirms(),
    traces: createTraces(),
    baselines,
    baselineNumbers: plan.baselines.map(({ bucketMs, halfLifeMs }) => baselines.define(bucketMs, halfLifeMs)),
    rates: createExchangeRates(),
    sketches,
    plannedSketches: plan.sketches,
  } satisfies Memory;
  const sketchedBits = plan.sketches.reduce((bits, { bit }) => bits | bit, 0);
  const baselineBits = plan.baselines.reduce((bits, { bit }) => bits | bit, 0);
  const tests = new Map<number, StreamTest>();
  for (const { index, of, code } of plan.streams)
    if ((of === 'day' || of === 'lots') && code !== undefined) tests.set(index, functionOf<boolean>(code, set.helpers));
  const history = createHistory(plan, legs, pairs, rows, named, tests, likeAmounts);
  /** No pattern asks about personal accounts: their legs are nobody's history. */
  const skippedKind = plan.keeps('personal') ? -1 : personalKind;
  const keepsCounts = plan.keeps('pairCounts');
  const keepsNames = plan.keeps('names');
  const prefetch = createPrefetch(accounts, rows, pairs, legs);
  const leg = new Evaluation(memory, plan.streams.length);
  const joinDebit = generateJoin(plan.streams, true, set.helpers);
  const joinCredit = generateJoin(plan.streams, false, set.helpers);
  const marks = Int32Array.from(plan.streams, ({ mark }) => mark);
  const joiner: Joiner = (joining, stream) => {
    joining.joined[stream] = joining.legNumber;
    if (marks[stream] !== 0) legs.addStreams(joining.slot, marks[stream]!);
    history.join(joining, stream);
  };
  let stats = new Map<CompiledPattern, PatternStats>();
  let debit = createAsked([], askOptions());
  let credit = debit;
  const asks = { legs: { debit: 0, credit: 0 } };
  /** Class of the amount in hand, and of which payment it is. */
  let amountClass = 0;
  let classRound = -1;
  let latestMs = -Infinity;
  let sinceSweep = 0;
  /** Where hits of the call in hand go. */
  let hitsInHand: Hit[] | null = null;
  const knowledge = createKnowledge({ plan, memory, accounts, rows, leg, owns, ask: askKnown });
  let onArrival = debit;
  let onUse = debit;
  let onRecord = debit;
  takePatterns(set);
  const snapshot = snapshotOfAll(
    {
      accounts: accounts.snapshot,
      legs: legs.snapshot,
      likeAmounts: likeAmounts.snapshot,
      pairs: pairs.snapshot,
      rows: rows.snapshot,
      named: named.snapshot,
      lists: lists.snapshot,
      records: memory.records.snapshot,
      names: memory.names.snapshot,
      uses: memory.uses.snapshot,
      firms: memory.firms.snapshot,
      traces: memory.traces.snapshot,
      baselines: baselines.snapshot,
      rates: memory.rates.snapshot,
      sketches: snapshotOfAll(sketches.map((sketch) => sketch.snapshot)),
      knowledge: knowledge.snapshot,
      clock: snapshotted(
        () => ({ latestMs, sinceSweep }),
        (state) => void ({ latestMs, sinceSweep } = state),
      ),
    },
    // Patterns that wait for a list or a rate: some may be there now.
    () => takePatterns(patternSet),
  );

  function askOptions() {
    return {
      helpers: patternSet.helpers,
      groupOf: named.groupOf,
      statsOf: (pattern: CompiledPattern) => stats.get(pattern)!,
      measure,
      measuredEvery,
    };
  }

  /** Builds the questions anew: for another set, and when a list or rate that a pattern waits for is there. */
  function takePatterns(taken: PatternSet): void {
    const scored = taken.patterns.filter(({ state }) => state === 'active' || state === 'shadow');
    const before = stats;
    stats = new Map(scored.map((compiled) => [compiled, before.get(compiled) ?? emptyStats(compiled)]));
    const ready = scored.filter((compiled) => isReady(compiled) && stats.get(compiled)!.faults === 0);
    const asked = (isWanted: (on: CompiledPattern['pattern']['on']) => boolean): Asked =>
      createAsked(
        ready.filter(({ pattern }) => isWanted(pattern.on)),
        askOptions(),
      );
    debit = asked((on) => on === 'debit' || on === 'both');
    credit = asked((on) => on === 'credit' || on === 'both');
    onArrival = asked((on) => on === 'arrival');
    onUse = asked((on) => on === 'use');
    onRecord = asked((on) => on === 'record');
  }

  /** Lists and rates go to every partition alike: a pattern that needs one is asked from its first record on. */
  function isReady({ pattern }: CompiledPattern): boolean {
    return pattern.needs.every((need) => !/^(list:|exchange-rate)/.test(need) || knowledge.seen.has(need));
  }

  function found(compiled: CompiledPattern): void {
    stats.get(compiled)!.held++;
    hitsInHand!.push(hitOf(compiled, leg));
  }

  /** Whether something was found. */
  function askKnown(occasion: 'arrival' | 'use' | 'record'): boolean {
    if (!hitsInHand) return false;
    const before = hitsInHand.length;
    (occasion === 'arrival' ? onArrival : occasion === 'use' ? onUse : onRecord).evaluate(leg, found);
    return hitsInHand.length > before;
  }

  function begin(receivedAtMs: number, hits: Hit[] | null): void {
    hitsInHand = hits;
    leg.receivedAtMs = receivedAtMs;
  }

  function scoreTransaction(payer: number, payee: number, roles: number): void {
    const { timeMs, payer: payerView, payee: payeeView } = leg.view;
    legs.begin();
    knowledge.begin();
    leg.at(timeMs);
    if (timeMs > latestMs) latestMs = timeMs;
    if ((roles & role.debit) !== 0) {
      const isKept = payerView.kind !== skippedKind;
      if (!isKept || scoreLeg(true, payer, payee)) knowledge.leave(payer, isKept);
    }
    if ((roles & role.credit) !== 0 && payeeView.kind !== skippedKind) scoreLeg(false, payee, payer);
    knowledge.settle();
    if (++sinceSweep < sweepEveryTransactions) return;
    sinceSweep = 0;
    history.sweep(latestMs - plan.legsMs - latenessMs);
    named.sweep(latestMs - latenessMs, rowsSweptMost);
    knowledge.sweep(latestMs - latenessMs, rowsSweptMost);
  }

  /** False where the leg was counted before: a resent transaction changes nothing. */
  function scoreLeg(isDebit: boolean, subject: number, other: number): boolean {
    const { view } = leg;
    leg.isDebit = isDebit;
    leg.self = isDebit ? view.payer : view.payee;
    leg.other = isDebit ? view.payee : view.payer;
    const row = rows.rowOf(subject);
    leg.subject = subject;
    leg.otherNumber = other;
    leg.row = rows.numbers;
    leg.base = row * rows.width;
    leg.slot = -1;
    leg.legNumber++;
    leg.pair = pairs.find(subject, other, latestMs - pairMemoryMs);
    // Whatever its flags say: what was sent first may be on the log last. A leg later than all before it costs one comparison.
    if (isCounted()) return false;
    const previousMs = leg.row[leg.base + column.clockMs]!;
    leg.previousLegMs = previousMs;
    leg.late = leg.timeMs < previousMs;
    leg.clockMs = leg.late ? previousMs : leg.timeMs;
    const pairRow = pairs.numbers;
    const pairBase = leg.pair * pairs.width;
    leg.pairLastDebitMs = pairRow[pairBase + pairColumn.lastDebitMs]!;
    leg.pairLastCreditMs = pairRow[pairBase + pairColumn.lastCreditMs]!;
    knowledge.noteKeys();

    history.advance(leg);
    const streams = baseBit.any | (isDebit ? baseBit.debit : baseBit.credit);
    history.add(leg, streams);
    history.settleLots(leg);
    if ((streams & baselineBits) !== 0) addToBaselines(streams);
    (isDebit ? joinDebit : joinCredit)(leg, joiner);

    if (hitsInHand) {
      if (isDebit) asks.legs.debit++;
      else asks.legs.credit++;
      (isDebit ? debit : credit).evaluate(leg, found);
    }

    if ((streams & sketchedBits) !== 0) addToSketches(streams);
    leg.row[leg.base + column.clockMs] = leg.clockMs;
    const lastColumn = pairBase + (isDebit ? pairColumn.lastDebitMs : pairColumn.lastCreditMs);
    if (leg.timeMs > pairRow[lastColumn]!) pairRow[lastColumn] = leg.timeMs;
    if (keepsCounts) pairs.words[pairBase * 2 + pairs.countsAt + (isDebit ? 0 : 1)]! += 1;
    if (isDebit && keepsNames) noteName();
    return true;
  }

  function noteName(): void {
    const { other, view } = leg;
    // Persons are nobody's suppliers: their names would only take room.
    if (other.nameStart < 0 || other.kind === personalKind) return;
    const { bytes, amountFen } = view;
    memory.names.note(leg.subject, leg.otherNumber, bytes, other.nameStart, other.nameEnd, amountFen, leg.timeMs);
  }

  function numberOf(party: PartyView): number {
    return accounts.intern(leg.view.bytes, party.accountStart, party.accountEnd, party.accountHash);
  }

  function addToSketches(streams: number): void {
    if (classRound !== leg.round) {
      classRound = leg.round;
      amountClass = amountClassOf(leg.view.amountFen);
    }
    for (let k = 0; k < sketches.length; k++) {
      const { bit, column: at } = plan.sketches[k]!;
      if ((streams & bit) !== 0) sketches[k]!.add(leg.row, leg.base + at, amountClass, leg.clockMs);
    }
  }

  function addToBaselines(streams: number): void {
    plan.baselines.forEach(({ bit }, b) => {
      if ((streams & bit) !== 0) baselines.add(leg.subject, memory.baselineNumbers[b]!, leg.timeMs, leg.view.amountFen);
    });
  }

  /** Whether this very transaction is among the pair's legs of the same instant, or of a later one where it was put, already. */
  function isCounted(): boolean {
    const { view } = leg;
    // The clock is the latest time of all its legs: most legs need no look at those before.
    if (leg.timeMs > leg.row[leg.base + column.clockMs]!) return false;
    const side = leg.isDebit ? baseBit.debit : baseBit.credit;
    for (
      let slot = pairs.words[leg.pair * pairs.width * 2 + pairWord.lastLeg]!;
      slot >= 0 && legs.timeMs(slot) >= leg.timeMs;
      slot = legs.word(slot, legWord.previousOfPair)
    ) {
      if ((legs.word(slot, legWord.streams) & side) !== 0 && legs.isOf(slot, view)) return true;
    }
    return false;
  }

  return {
    get patternSet() {
      return patternSet;
    },
    score(view, roles, _flags, receivedAtMs, hits) {
      if (view.status > lastScoredStatus) return;
      begin(receivedAtMs, hits);
      leg.take(view);
      scoreTransaction(numberOf(view.payer), numberOf(view.payee), roles);
    },
    scoreBatch(batch, hits) {
      prefetch.run(batch);
      for (let i = 0; i < batch.count; i++) {
        const view = batch.views[i]!;
        if (view.status > lastScoredStatus) continue;
        begin(batch.receivedAtMs[i]!, hits);
        leg.take(view);
        scoreTransaction(prefetch.payers[i]!, prefetch.payees[i]!, batch.roles[i]!);
      }
    },
    takeReference(reference, ownsKey, receivedAtMs, hits) {
      begin(receivedAtMs, hits);
      const known = knowledge.seen.size;
      knowledge.takeReference(reference, ownsKey);
      if (knowledge.seen.size > known) takePatterns(patternSet);
      knowledge.settle();
    },
    takeForward(forward, view, receivedAtMs, hits) {
      begin(receivedAtMs, hits);
      if (view) leg.take(view);
      knowledge.takeForward(forward, view);
      knowledge.settle();
    },
    drainForwards: () => knowledge.drain(),
    adopt(next) {
      if (next.planId !== patternSet.planId) return false;
      // The plan's own functions stay those of the first set: equal ids mean equal meaning. Conditions are the new ones.
      patternSet = next;
      stats = new Map();
      asks.legs = { debit: 0, credit: 0 };
      takePatterns(next);
      return true;
    },
    save: () => snapshot.save(),
    load: (state) => snapshot.load(state),
    stats: () => ({
      accounts: accounts.size,
      subjects: rows.size,
      legs: legs.legs,
      pairs: pairs.size,
      seen: knowledge.seen,
      bytes: [
        accounts,
        legs,
        likeAmounts,
        pairs,
        rows,
        named,
        ...sketches,
        lists,
        baselines,
        memory.records,
        memory.names,
        memory.uses,
        memory.firms,
        memory.traces,
      ]
        .map((kept) => kept.bytesUsed())
        .reduce((sum, bytes) => sum + bytes, 0),
    }),
    patternStats: () =>
      [...stats].map(([compiled, known]) => ({
        ...known,
        nearMisses: nearMissesOf(compiled, known.near),
        asked:
          (compiled.pattern.on === 'debit' || compiled.pattern.on === 'both' ? asks.legs.debit : 0) +
          (compiled.pattern.on === 'credit' || compiled.pattern.on === 'both' ? asks.legs.credit : 0),
      })),
  };
}

function emptyStats({ pattern, state, conjuncts }: CompiledPattern): PatternStats {
  const { id, version } = pattern;
  return { id, version, state, asked: 0, held: 0, faults: 0, nanoseconds: 0, near: conjuncts.map(() => 0) };
}
