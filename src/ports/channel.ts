import type { Warning } from '../domain/warning.js';

/** One way to reach a recipient. At-least-once with a stable delivery id; the receiver drops repeats by id. */
export interface Channel {
  readonly name: 'webhook' | 'feed';
  deliver(message: Message, signal: AbortSignal): Promise<Outcome>;
  /** Why nothing could be delivered to this address, in words; null where it may, or where it cannot be said yet. */
  whyNot?(url: string): Promise<string | null>;
}

export interface Message {
  /** Stable over every attempt: hash(warning, level, recipient, channel). */
  readonly deliveryId: string;
  readonly event: 'warning.raised' | 'warning.updated' | 'warning.withdrawn';
  readonly warning: Warning;
  readonly target: WebhookTarget;
}

export interface WebhookTarget {
  readonly recipient: string;
  readonly url: string;
  /** `whsec_…`, never logged. */
  readonly secret: string;
}

/** A reason, never a bare boolean. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly status: number; readonly acknowledged: boolean }
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number }
  | { readonly kind: 'refused'; readonly reason: string };
