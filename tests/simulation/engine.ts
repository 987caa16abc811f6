import type { Forward } from '../../src/domain/forward.js';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { derivedId } from '../../src/domain/identity.js';
import { sharedKey } from '../../src/domain/reference.js';
import type { Engine, Owns, Told } from '../../src/pipeline/score.js';
import { createEngine, type ScoringEngine } from '../../src/scoring/engine.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import type { TransactionView } from '../../src/scoring/transaction-view.js';
import { makeHit } from '../support/hits.js';

/** A payment of this many fen makes the engine fail, wherever a leg of it is scored. */
export const poisonFen = 66_666_600;

/**
 * A small engine whose partitions talk, and the real one beside it where asked for: making a real one costs more than all else.
 *
 * Each account's payments are counted, and every third one hits with its number: what is lost, taken twice or taken in another order
 * shows. Some payments are told to the payee's partition, and from there to a thing's. Whoever is told hits with the number of
 * times; in whichever order forwards come, these hits are the same.
 */
export function createTalkingEngine(set: PatternSet, { owns }: { readonly owns: Owns }, isReal: boolean): Engine<PatternSet> {
  const real: ScoringEngine | null = isReal ? createEngine(set, { owns }) : null;
  let patternSet = set;
  const counts = new Map<string, number>();
  const payments = new Set<string>();
  let told: Told[] = [];

  function countUp(what: string): number {
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    return count;
  }

  function tell(forward: Forward, transaction: Uint8Array | null, receivedAtMs: number, hits: Hit[] | null): void {
    if (owns(forward.to)) take(forward, receivedAtMs, hits);
    else told.push({ forward, transaction, receivedAtMs });
  }

  function take(forward: Forward, receivedAtMs: number, hits: Hit[] | null): void {
    if (forward.kind === 'traces') return;
    const { account, to, kind } = forward;
    const what = `${kind}/${account}>${to}`;
    const count = countUp(what);
    // The transaction names what was counted: the same pair hits once for each time.
    hits?.push(hitOf(account, `${what}#${count}`, 'talk', 1, receivedAtMs));
    if (kind !== 'use') return;
    const thing = thingOf(account);
    const notice = { kind: 'notice', to: thing, account, what: 'firms', shared: 'device', value: thing } as const;
    tell({ ...notice, firms: 1, timeMs: receivedAtMs }, null, receivedAtMs, hits);
  }

  function scoreSmall(view: TransactionView, roles: number, receivedAtMs: number, hits: Hit[] | null): void {
    if ((roles & role.credit) !== 0) count('credit', accountOf(view, 'payee'), view, receivedAtMs, hits);
    if ((roles & role.debit) === 0) return;
    const account = accountOf(view, 'payer');
    if (!count('debit', account, view, receivedAtMs, hits) || view.amountFen % 300 !== 0) return;
    const to = accountOf(view, 'payee');
    const use = { kind: 'use', to, shared: 'operator', value: 'op', firm: account, account } as const;
    tell(use, view.bytes.slice(view.start, view.end), receivedAtMs, hits);
  }

  /** False where the leg was counted before. */
  function count(side: string, account: string, view: TransactionView, receivedAtMs: number, hits: Hit[] | null): boolean {
    const leg = `${side} ${view.id}`;
    if (payments.has(leg)) return false;
    payments.add(leg);
    const number = countUp(`${side} of ${account}`);
    if (number % 3 === 0) hits?.push(hitOf(account, `${leg} is ${number}`, 'count', versionOf(patternSet), receivedAtMs));
    return true;
  }

  function score(view: TransactionView, roles: number, flags: number, receivedAtMs: number, hits: Hit[] | null): void {
    if (view.amountFen === poisonFen) throw new TypeError('poison');
    real?.score(view, roles, flags, receivedAtMs, hits);
    scoreSmall(view, roles, receivedAtMs, hits);
  }

  return {
    get patternSet() {
      return patternSet;
    },
    score,
    scoreBatch(batch, hits) {
      for (let i = 0; i < batch.count; i++)
        score(batch.views[i]!, batch.roles[i]!, batch.flags[i]!, batch.receivedAtMs[i]!, hits);
    },
    takeForward(forward, view, receivedAtMs, hits) {
      if (forward.kind === 'use' && (!view || accountOf(view, 'payee') !== forward.to)) throw new TypeError('another payment');
      take(forward, receivedAtMs, hits);
    },
    drainForwards() {
      real?.drainForwards();
      const drained = told;
      told = [];
      return drained;
    },
    adopt(next) {
      if (next.planId !== patternSet.planId || real?.adopt(next) === false) return false;
      patternSet = next;
      return true;
    },
  };
}

/** Hits that depend on the set in force are all but what partitions tell one another. */
export const isTalk = ({ family }: Hit): boolean => family === 'talk';

function versionOf(set: PatternSet): number {
  return set.patterns[0]?.pattern.version ?? 0;
}

/** Where an account tells that it was told. */
function thingOf(account: string): string {
  return sharedKey('device', account);
}

function accountOf(view: TransactionView, side: 'payer' | 'payee'): string {
  return view.text(view[side].accountStart, view[side].accountEnd);
}

function hitOf(account: string, transaction: string, family: string, version: number, receivedAtMs: number): Hit {
  const payer = { account, name: '河南样例有限公司', bank: '102491002011' };
  const id = derivedId(account, transaction, version);
  return makeHit({ id, pattern: `T${version}`, version, family, transaction, evidence: [transaction], payer, receivedAtMs });
}
