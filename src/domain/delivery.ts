import { z } from 'zod';
import { derivedId } from './identity.js';
import { levels, type Level } from './warning.js';

/** Ways a recipient is reached. The feed needs no attempts: a warning is on it as soon as it is on the log. */
export const channelNames = ['webhook', 'feed'] as const;
export type ChannelName = (typeof channelNames)[number];

/** What became of an attempt, in the words of the events on `deliveries`. */
export const deliveryOutcomes = ['delivered', 'retried', 'exhausted', 'refused', 'cancelled'] as const;
/** Data of `delivery.delivered`, `delivery.retried`, `delivery.exhausted`, `delivery.refused` and `delivery.cancelled`. */
export const deliverySchema = z.object({
  deliveryId: z.string(),
  warningId: z.string(),
  /** The revision that was sent; with a cancelled one, the revision that cancelled it. */
  revision: z.int(),
  level: z.enum(levels),
  recipient: z.string(),
  channel: z.enum(channelNames),
  /** Counted from 1; 0 where none was made. */
  attempt: z.int(),
  outcome: z.enum(deliveryOutcomes),
  /** Why, in words: `accepted`, `acknowledged`, `timed out after 5000 ms`, `the warning was withdrawn` … */
  reason: z.string(),
  /** HTTP status where there was one. */
  status: z.int().optional(),
  latencyMs: z.number(),
  /** ISO 8601, with `retried` only: when the next attempt is due. */
  nextAt: z.string().optional(),
});
export type Delivery = z.infer<typeof deliverySchema>;

/** The same over every attempt and every restart: the receiver drops repeats by it. A rise in level is a new delivery. */
export function deliveryId(warningId: string, level: Level, recipient: string, channel: ChannelName): string {
  return derivedId('delivery', warningId, level, recipient, channel);
}
