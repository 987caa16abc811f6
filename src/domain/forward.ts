import type { SharedKind } from './reference.js';

/**
 * What one partition's scoring tells another: it travels as an entry of the receiver's own log, so that replaying that log
 * alone gives the same state. `to` is the key whose partition receives it (an account, or a shared key such as `device:4f…`).
 */
export type Forward = TraceForward | UseForward | NoticeForward;

/** Money moved on: what the payer's account carried goes to the payee's. */
export interface TraceForward {
  readonly kind: 'traces';
  readonly to: string;
  /** Case level of the payer's account, -1 where it is none, and when it got it. */
  readonly caseLevel: number;
  readonly caseMs: number;
  /** How many new counterparties the payer had paid in 7 days, this one included. */
  readonly payerNew: number;
  readonly traces: readonly Trace[];
}

/** A path of payments on its way, as it leaves an account. */
export interface Trace {
  /** Hash of the account where it began (`traceKey`), and of its enterprise's circle (0 unknown). */
  readonly origin: number;
  readonly circle: number;
  readonly startMs: number;
  /** What left the origin. */
  readonly amountFen: number;
  /** Payments so far, this one included. */
  readonly hops: number;
  /** Hops at the end of the path each of which passed on most of its money quickly. */
  readonly quick: number;
}

/** A device, an operator … was used for this enterprise. */
export interface UseForward {
  readonly kind: 'use';
  readonly to: string;
  readonly shared: SharedKind;
  readonly value: string;
  /** Credit code of the enterprise, else its account; and the account. */
  readonly firm: string;
  readonly account: string;
}

/** A fact about an account that another partition found out. */
export interface NoticeForward {
  readonly kind: 'notice';
  readonly to: string;
  readonly account: string;
  readonly what: 'kin-stopped' | 'ask-kin-stopped' | 'firms';
  /** For `firms`: how many enterprises share the thing; for `kin-stopped`: the shared thing. */
  readonly shared: SharedKind;
  readonly value: string;
  readonly firms: number;
  readonly timeMs: number;
}
