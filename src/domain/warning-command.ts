import { z } from 'zod';
import type { Event } from './event.js';
import { verdicts } from './warning.js';

const about = {
  warningId: z.string().min(1).max(128),
  /** The longest is that of a shared address: its kind and 200 characters. */
  subjectKey: z.string().min(1).max(256),
  /** Who said it, as the caller is known: the name of a key (120 characters), and behind a slash a person's (64). */
  by: z.string().min(1).max(256),
};

/**
 * What people say about a warning: events on `commands`, in the partition of the warning's subject key
 * (`partitionOf(subjectKey, partitions)`), so that one owner sees the hits and the answers to them.
 */
export const warningCommandSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('warning.acknowledge'), data: z.object({ ...about, note: z.string().max(500).optional() }) }),
  z.object({
    type: z.literal('warning.dispose'),
    data: z.object({ ...about, verdict: z.enum(verdicts), note: z.string().max(500).optional() }),
  }),
  z.object({ type: z.literal('warning.appeal'), data: z.object({ ...about, text: z.string().min(1).max(2_000) }) }),
]);
export type WarningCommand = z.infer<typeof warningCommandSchema>;
export type WarningCommandEvent = Event<WarningCommand['type'], WarningCommand['data']>;
