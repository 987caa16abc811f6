import { z } from 'zod';
import type { Event } from './event.js';
import { verdicts } from './warning.js';

const about = {
  warningId: z.string().min(1).max(128),
  subjectKey: z.string().min(1).max(64),
  /** Who said it: a person's or an organisation's name as the caller is known. */
  by: z.string().min(1).max(128),
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
