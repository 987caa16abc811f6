import { role, readFrame } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { partitionOf } from '../../src/domain/partition.js';
import { absorbHit, transactionOf, warningIdOf, type WarningFacts } from '../../src/domain/warning-facts.js';
import { isTold, settleWarning } from '../../src/domain/warning-policy.js';
import type { Warning } from '../../src/domain/warning.js';
import type { Engine } from '../../src/pipeline/score.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { createTalkingEngine, isTalk, poisonFen } from './engine.js';
import { policy } from './material.js';

/** What a run must come to, computed without any of the machinery that is on trial. */

/** Hits by id, without when they came in. */
export type Hits = ReadonlyMap<string, string>;

/** Every line once, in the banks' order, by as many engines as there are partitions; what they tell is told at once. */
export function expectedHits(set: PatternSet, banks: readonly (readonly string[])[], partitions: number, isReal: boolean): Hits {
  const engines = Array.from({ length: partitions }, (_, p) =>
    createTalkingEngine(set, { owns: (key) => partitionOf(key, partitions) === p }, isReal),
  );
  const hits: Hit[] = [];
  const view = new TransactionView();
  for (const line of banks.flat()) {
    const bytes = Buffer.from(line);
    if (!scanTransaction(bytes, 0, bytes.length, view)) throw new Error('a line of the material cannot be read');
    if (view.amountFen === poisonFen) continue;
    const payer = partitionOf(view.text(view.payer.accountStart, view.payer.accountEnd), partitions);
    const payee = partitionOf(view.text(view.payee.accountStart, view.payee.accountEnd), partitions);
    engines[payer]!.score(view, payer === payee ? role.debit | role.credit : role.debit, 0, 0, hits);
    if (payer !== payee) engines[payee]!.score(view, role.credit, 0, 0, hits);
    talkAll(engines, hits);
  }
  return distinct(hits);
}

function talkAll(engines: readonly Engine<PatternSet>[], hits: Hit[]): void {
  const view = new TransactionView();
  for (let isQuiet = false; !isQuiet;) {
    isQuiet = true;
    for (const engine of engines) {
      for (const { forward, transaction } of engine.drainForwards!()) {
        isQuiet = false;
        if (transaction) scanTransaction(transaction, 0, transaction.length, view);
        engines[partitionOf(forward.to, engines.length)]!.takeForward!(forward, transaction && view, 0, hits);
      }
    }
  }
}

/** A part of one partition's log, and the set under which it was scored. */
export interface ScoredStretch {
  readonly upTo: number;
  readonly set: PatternSet;
}

/** The hits of one partition's log, under the sets that its journal names, without those of what others told it. */
export function hitsOfLog(
  records: readonly Uint8Array[],
  stretches: readonly ScoredStretch[],
  owns: (key: string) => boolean,
  isReal: boolean,
): Hit[] {
  const [begin] = stretches;
  if (!begin) return [];
  const hits: Hit[] = [];
  const view = new TransactionView();
  let engine = createTalkingEngine(begin.set, { owns }, isReal);
  let at = 0;

  function take(from: number, upTo: number, found: Hit[] | null): void {
    for (const record of records.slice(from, upTo)) {
      for (const { roles, flags, start, end } of readFrame(record)) {
        if (roles >= role.forward) continue;
        if (!scanTransaction(record, start, end, view)) throw new Error('a record cannot be read');
        if (view.amountFen !== poisonFen) engine.score(view, roles, flags, 0, found);
      }
    }
  }

  for (const { upTo, set } of stretches) {
    if (set.id !== engine.patternSet.id && !engine.adopt(set)) {
      engine = createTalkingEngine(set, { owns }, isReal);
      take(0, at, null);
    }
    take(at, upTo, hits);
    at = upTo;
  }
  return hits.filter((hit) => !isTalk(hit));
}

/** A hit that came twice must say the same both times. */
export function distinct(hits: readonly Hit[]): Map<string, string> {
  const byId = new Map<string, string>();
  for (const { receivedAtMs: _, ...hit } of hits) {
    const text = JSON.stringify(hit);
    const before = byId.get(hit.id) ?? text;
    if (before !== text) throw new TwoContents(`hit ${hit.id}`, before, text);
    byId.set(hit.id, text);
  }
  return byId;
}

export class TwoContents extends Error {
  constructor(what: string, one: string, other: string) {
    let at = 0;
    while (at < one.length && one[at] === other[at]) at++;
    const excerpt = (text: string) => text.slice(Math.max(0, at - 40), at + 60);
    super(`${what} has two contents: …${excerpt(one)}… and …${excerpt(other)}…`);
  }
}

/** What a warning says that follows from its hits alone. */
export function sayingOf(warning: Warning): string {
  const {
    revision: _r,
    raisedAt: _a,
    receivedAt: _c,
    dueAt: _d,
    status: _s,
    acknowledgedAt: _k,
    acknowledgedBy: _b,
    ...saying
  } = warning;
  return JSON.stringify(saying);
}

/** The warnings that the hits make, whatever their order. */
export function expectedWarnings(hits: Hits): Map<string, Warning> {
  const facts = new Map<string, WarningFacts>();
  const seen = new Map<string, string[]>();
  for (const text of hits.values()) {
    const hit = { ...(JSON.parse(text) as Hit), receivedAtMs: 0 };
    if (hit.state !== 'active') continue;
    const id = warningIdOf(hit);
    const key = `${id} ${transactionOf(hit)}`;
    const absorbed = absorbHit(facts.get(id) ?? null, hit, seen.get(key) ?? [], policy);
    if (absorbed.outcome === 'absorbed') facts.set(id, absorbed.facts);
    seen.set(key, [...(seen.get(key) ?? []), hit.id]);
  }
  const warnings = new Map<string, Warning>();
  for (const [id, fact] of facts) {
    const { warning } = settleWarning(null, fact, policy, 0);
    if (isTold(null, warning, policy)) warnings.set(id, warning);
  }
  return warnings;
}
