import { z } from 'zod';

/** What was not taken, and why, as people may see it: without the record itself, which holds whole account numbers. */
export const refusalSchema = z.object({
  /** ISO 8601, when it was refused. */
  time: z.string(),
  /** The bank that sent it, '' where it is not known. */
  bank: z.string(),
  /** As it stands in the record, where it could be read. */
  id: z.string().optional(),
  /** Line of the body, from 1; 0 where the record was refused later than at the border. */
  line: z.int(),
  reason: z.string(),
  /** Path of the field at fault, '' for the record as a whole. */
  field: z.string(),
  message: z.string(),
});
export type Refusal = z.infer<typeof refusalSchema>;

/** What a sender is told of a record under an id that was used for another one: the remedy as well. */
export const firstCounts =
  'the first one counts and nothing that was scored changes; a later status is not taken, and another record or payment, such as a return of the money, needs an id of its own';

/** What was refused, as it stands on the log. */
export interface Refusals {
  /**
   * Those after a cursor, oldest first; without one the latest 1,000 records of each partition. A page may be short or empty
   * before the end, where `next` is what was asked for. Throws `CursorUnknown`, and `OffsetOutOfRange` where the cursor lies before
   * what is kept.
   */
  page(query: {
    readonly after?: string | undefined;
    readonly bank?: string | undefined;
    readonly limit: number;
  }): Promise<{ readonly items: readonly Refusal[]; readonly next: string }>;
}
