import type { Forward } from '../domain/forward.js';
import { type SharedKind, sharedKey } from '../domain/reference.js';
import { keyOfBytes } from './byte-key.js';
import { widen } from './byte-table.js';
import type { Evaluation, Memory } from './evaluation.js';
import { widerLength } from './growth.js';
import type { Plan } from './plan.js';
import { thingSeed } from './shared-firms.js';
import { snapshotted, type Snapshotted } from './snapshot-state.js';
import { hasEscape, hashBytes } from './transaction-view.js';

/** The device, IP, MAC and operator that payments name: who uses them is known to the partition of each thing. */
export interface PaymentThings {
  /** Another payment is in hand. */
  begin(): void;
  /** Notes those of the leg in hand, which are its payer's. */
  note(): void;
  /** The payment leaves the payer: other partitions are told what it used. */
  leave(payer: number): void;
  /** This partition takes in what the payment used of its own things. */
  settle(): void;
  /** The device that the account used last. */
  deviceOf(account: number): string | undefined;
  readonly snapshot: Snapshotted;
}

interface Options {
  readonly plan: Plan;
  readonly memory: Pick<Memory, 'uses' | 'firms'>;
  readonly leg: Evaluation;
  /** Kinds of data that were ever sent. */
  readonly seen: Set<string>;
  /** Undefined where all keys are this partition's. */
  readonly owns: ((key: string) => boolean) | undefined;
  readonly tell: (forward: Forward, transaction: boolean) => void;
  /** A thing that more than one account used is asked about. `kind`: an index into `sharedKinds`. */
  readonly ask: (kind: number, key: number, value: string) => void;
}

/** In the order of `Evaluation.sharedKeys`, the first of `sharedKinds`. */
export const paymentKinds = ['device', 'ip', 'mac', 'operator'] as const satisfies readonly SharedKind[];
const deviceKind = paymentKinds.indexOf('device');

export function createPaymentThings({ plan, memory, leg, seen, owns, tell, ask }: Options): PaymentThings {
  const { uses, firms } = memory;
  const keepsUses = plan.keeps('uses') || plan.keeps('kin');
  const keepsKin = plan.keeps('kin');
  /** What kin of a stopped account are found by. */
  const devices = new Map<number, string>();
  /** The keys of those devices by account, as far as this engine saw them. */
  let deviceKeys = new Float64Array(64);
  /** Which things of the payment in hand are news to their own partitions; and which of them this partition has still to take. */
  const isToTell = paymentKinds.map(() => false);
  const isToTake = paymentKinds.map(() => false);
  const keysToTake = new Float64Array(paymentKinds.length);

  function spanOf(kind: number): readonly [number, number] {
    const { view } = leg;
    if (kind === 0) return [view.deviceStart, view.deviceEnd];
    if (kind === 1) return [view.ipStart, view.ipEnd];
    if (kind === 2) return [view.macStart, view.macEnd];
    return [view.operatorStart, view.operatorEnd];
  }

  function valueOf(kind: number): string {
    const [start, end] = spanOf(kind);
    return leg.view.text(start, end);
  }

  function isEscaped(kind: number): boolean {
    const { bytes, payer } = leg.view;
    const [start, end] = spanOf(kind);
    return hasEscape(bytes, start, end) || hasEscape(bytes, payer.creditCodeStart, payer.creditCodeEnd);
  }

  function noteDevice(payer: number, key: number): void {
    if (payer >= deviceKeys.length)
      deviceKeys = widen(deviceKeys, new Float64Array(Math.max(payer + 1, widerLength(deviceKeys.length))));
    if (deviceKeys[payer] === key) return;
    deviceKeys[payer] = key;
    devices.set(payer, valueOf(deviceKind));
  }

  /** No text is made of what this partition takes in itself before it is asked about. */
  function take(kind: number): void {
    const { bytes, payer, timeMs } = leg.view;
    const account = firms.nameOf(bytes, payer.accountStart, payer.accountEnd, payer.accountHash);
    const { creditCodeStart: start, creditCodeEnd: end } = payer;
    const firm = end > start ? firms.nameOf(bytes, start, end, hashBytes(bytes, start, end)) : account;
    const key = keysToTake[kind]!;
    if (firms.use(key, firm, account, timeMs)) ask(kind, key, valueOf(kind));
  }

  return {
    begin() {
      if (!keepsUses) return;
      // A fault may have left some.
      for (let kind = 0; kind < paymentKinds.length; kind++) isToTake[kind] = false;
    },
    note() {
      if (!keepsUses) return;
      // They are the payer's: on the other leg there are none.
      if (!leg.isDebit) return void leg.sharedKeys.fill(0);
      for (let kind = 0; kind < paymentKinds.length; kind++) {
        const [start, end] = spanOf(kind);
        const key = start < 0 || end === start ? 0 : keyOfBytes(thingSeed + kind, leg.view.bytes, start, end);
        leg.sharedKeys[kind] = key;
        isToTell[kind] = key !== 0 && uses.note(leg.subject, kind, key, leg.timeMs);
      }
    },
    leave(payer) {
      if (!keepsUses) return;
      const { view } = leg;
      let account = '';
      let firm = '';
      for (let kind = 0; kind < paymentKinds.length; kind++) {
        const key = leg.sharedKeys[kind]!;
        if (key === 0) continue;
        const shared = paymentKinds[kind]!;
        if (!seen.has(shared)) seen.add(shared);
        if (!isToTell[kind]) continue;
        if (kind === deviceKind && keepsKin) noteDevice(payer, key);
        keysToTake[kind] = key;
        // The key of an escaped text is not that of the text.
        const canTake = !isEscaped(kind);
        isToTake[kind] = canTake && owns === undefined;
        if (isToTake[kind]) continue;
        const value = valueOf(kind);
        const to = sharedKey(shared, value);
        if (canTake && owns?.(to)) {
          isToTake[kind] = true;
          continue;
        }
        if (account === '') {
          account = view.text(view.payer.accountStart, view.payer.accountEnd);
          firm = view.text(view.payer.creditCodeStart, view.payer.creditCodeEnd) || account;
        }
        tell({ kind: 'use', to, shared, value, firm, account }, true);
      }
    },
    settle() {
      if (!keepsUses) return;
      for (let kind = 0; kind < paymentKinds.length; kind++) {
        if (!isToTake[kind]) continue;
        isToTake[kind] = false;
        take(kind);
      }
    },
    deviceOf: (account) => devices.get(account),
    snapshot: snapshotted(
      () => ({ devices: () => [...devices] }),
      (state) => {
        devices.clear();
        for (const [account, device] of state.devices) devices.set(account, device);
      },
    ),
  };
}
