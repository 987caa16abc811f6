import type { Forward } from '../../src/domain/forward.js';
import { frameFlag, role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { derivedId } from '../../src/domain/identity.js';
import { sharedKey } from '../../src/domain/reference.js';
import type { Engine, Owns, Told } from '../../src/pipeline/score.js';
import { createEngine } from '../../src/scoring/engine.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import type { TransactionView } from '../../src/scoring/transaction-view.js';
import { makeHit } from '../support/hits.js';

/** A payment of this many fen makes the engine fail, wherever a leg of it is scored. */
export const poisonFen = 66_666_600;

/**
 * The real engine, and beside it a small one whose partitions talk: some payments are told to the payee's partition, and from there
 * to a thing's. Whoever is told hits with the number of times, so that a forward that is lost or taken twice shows, and in
 * whichever order they come, the hits are the same.
 */
export function createTalkingEngine(set: PatternSet, { owns }: { readonly owns: Owns }): Engine<PatternSet> {
  const real = createEngine(set, { owns });
  const counts = new Map<string, number>();
  const payments = new Set<string>();
  let told: Told[] = [];

  function tell(forward: Forward, transaction: Uint8Array | null, receivedAtMs: number, hits: Hit[] | null): void {
    if (owns(forward.to)) take(forward, receivedAtMs, hits);
    else told.push({ forward, transaction, receivedAtMs });
  }

  function take(forward: Forward, receivedAtMs: number, hits: Hit[] | null): void {
    if (forward.kind === 'traces') return;
    const { account, to, kind } = forward;
    const what = `${kind}/${account}>${to}`;
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    hits?.push(hitOf(account, what, count, receivedAtMs));
    if (kind !== 'use') return;
    const thing = thingOf(account);
    const notice = { kind: 'notice', to: thing, account, what: 'firms', shared: 'device', value: thing } as const;
    tell({ ...notice, firms: 1, timeMs: receivedAtMs }, null, receivedAtMs, hits);
  }

  function talk(view: TransactionView, roles: number, flags: number, receivedAtMs: number, hits: Hit[] | null): void {
    if ((roles & role.debit) === 0 || view.amountFen % 300 !== 0) return;
    if ((flags & frameFlag.maybeResent) !== 0 && payments.has(view.id)) return;
    payments.add(view.id);
    const account = accountOf(view, 'payer');
    const to = accountOf(view, 'payee');
    const use = { kind: 'use', to, shared: 'operator', value: 'op', firm: account, account } as const;
    tell(use, view.bytes.slice(view.start, view.end), receivedAtMs, hits);
  }

  return {
    get patternSet() {
      return real.patternSet;
    },
    score(view, roles, flags, receivedAtMs, hits) {
      refusePoison(view);
      real.score(view, roles, flags, receivedAtMs, hits);
      talk(view, roles, flags, receivedAtMs, hits);
    },
    scoreBatch(batch, hits) {
      for (let i = 0; i < batch.count; i++) {
        const view = batch.views[i]!;
        refusePoison(view);
        real.score(view, batch.roles[i]!, batch.flags[i]!, batch.receivedAtMs[i]!, hits);
        talk(view, batch.roles[i]!, batch.flags[i]!, batch.receivedAtMs[i]!, hits);
      }
    },
    takeForward(forward, view, receivedAtMs, hits) {
      if (forward.kind === 'use' && (!view || accountOf(view, 'payee') !== forward.to)) throw new TypeError('another payment');
      take(forward, receivedAtMs, hits);
    },
    drainForwards() {
      real.drainForwards();
      const drained = told;
      told = [];
      return drained;
    },
    adopt: (next) => real.adopt(next),
    stats: () => real.stats(),
  };
}

/** Where an account tells that it was told. */
export function thingOf(account: string): string {
  return sharedKey('device', account);
}

function refusePoison(view: TransactionView): void {
  if (view.amountFen === poisonFen) throw new TypeError('poison');
}

function accountOf(view: TransactionView, side: 'payer' | 'payee'): string {
  return view.text(view[side].accountStart, view[side].accountEnd);
}

function hitOf(account: string, what: string, count: number, receivedAtMs: number): Hit {
  const payer = { account, name: '河南样例有限公司', bank: '102491002011' };
  // The transaction names what was counted: the same pair hits once for each time.
  const transaction = `${what}#${count}`;
  return makeHit({ id: derivedId(what, count), pattern: 'T01', family: 'talk', transaction, evidence: [transaction], payer, receivedAtMs });
}
