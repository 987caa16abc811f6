import type { Forward } from '../../src/domain/forward.js';
import { frameFlag, role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { derivedId } from '../../src/domain/identity.js';
import type { Reference } from '../../src/domain/reference.js';
import { sharedKey } from '../../src/domain/reference.js';
import type { Engine, Owns, PatternSetIdentity, Told } from '../../src/pipeline/score.js';
import type { TransactionView } from '../../src/scoring/transaction-view.js';
import { makeHit } from './hits.js';

/**
 * A small engine whose partitions talk to one another. A payment is told to its payee's partition, and from there on to the
 * partitions of things for some hops. Each time a payer is told of it hits with the number of times, so that a forward that is
 * lost or taken twice shows.
 */
export function createForwardingEngine(set: PatternSetIdentity, { owns }: { readonly owns: Owns }): Engine {
  let patternSet = set;
  const counts = new Map<string, number>();
  const payments = new Set<string>();
  let told: Told[] = [];

  function tell(forward: Forward, transaction: Uint8Array | null, receivedAtMs: number, hits: Hit[] | null): void {
    if (owns(forward.to)) take(forward, receivedAtMs, hits);
    else told.push({ forward, transaction, receivedAtMs });
  }

  function take(forward: Forward, receivedAtMs: number, hits: Hit[] | null): void {
    if (forward.kind === 'traces') throw new TypeError('this engine knows no traces');
    const pair = `${forward.kind}/${forward.account}>${forward.to}`;
    const count = (counts.get(pair) ?? 0) + 1;
    counts.set(pair, count);
    hits?.push(hitOf(pair, count, receivedAtMs));
    const hops = forward.kind === 'notice' ? forward.firms : 0;
    if (hops === hopsMax) return;
    const to = thingAfter(forward.account, hops);
    const notice = { kind: 'notice', to, account: forward.account, what: 'firms', shared: 'device', value: to } as const;
    tell({ ...notice, firms: hops + 1, timeMs: receivedAtMs }, null, receivedAtMs, hits);
  }

  return {
    get patternSet() {
      return patternSet;
    },
    score(view, roles, flags, receivedAtMs, hits) {
      if ((roles & role.debit) === 0) return;
      if ((flags & frameFlag.maybeResent) !== 0 && payments.has(view.id)) return;
      payments.add(view.id);
      const account = accountOf(view, 'payer');
      const to = accountOf(view, 'payee');
      const use = { kind: 'use', to, shared: 'operator', value: 'op', firm: account, account } as const;
      tell(use, view.bytes.slice(view.start, view.end), receivedAtMs, hits);
    },
    takeReference(reference: Reference, owned: Owns, receivedAtMs, hits) {
      if (!('account' in reference) || !owned(reference.account)) return;
      hits?.push(hitOf(`reference/${reference.id}`, 1, receivedAtMs));
    },
    takeForward(forward, view, receivedAtMs, hits) {
      if (forward.kind === 'use' && (!view || accountOf(view, 'payee') !== forward.to)) throw new TypeError('another payment');
      take(forward, receivedAtMs, hits);
    },
    drainForwards() {
      const drained = told;
      told = [];
      return drained;
    },
    adopt(next) {
      if (next.planId !== patternSet.planId) return false;
      patternSet = next;
      return true;
    },
  };
}

const hopsMax = 3;

function thingAfter(account: string, hops: number): string {
  return sharedKey('device', `${account}-${hops}`);
}

/** Keys that hear of a payment, in their order. */
export function keysThatHear(payer: string, payee: string): string[] {
  return [payee, ...Array.from({ length: hopsMax }, (_, hops) => thingAfter(payer, hops))];
}

function accountOf(view: TransactionView, side: 'payer' | 'payee'): string {
  return view.text(view[side].accountStart, view[side].accountEnd);
}

function hitOf(what: string, count: number, receivedAtMs: number): Hit {
  return makeHit({ id: derivedId(what, count), transaction: what, evidence: [`${count}`], receivedAtMs });
}
