import { z } from 'zod';
import type { State } from '../ports/state.js';
import { encodeJson, openCheckpoints, type Link } from './checkpoint.js';

/**
 * Which batch of the log was scored under which pattern set, written before the batch's hits leave. What is journaled is
 * scored again after a crash under the same set, and gives the same hits with the same ids and the same sequence.
 */
interface JournalBody {
  /** Counts the batches of the partition, from 1. */
  readonly sequence: number;
  /** Offsets of `transactions`: `[from, upTo)`. */
  readonly from: number;
  readonly upTo: number;
  readonly patternSetId: string;
}
type JournalEntry = Link<JournalBody>;

export interface Journal {
  readonly head: JournalEntry | null;
  /** Durable when it resolves. Throws `OwnershipLost` when another scorer has written to this journal. */
  append(batch: Omit<JournalBody, 'sequence'>): Promise<JournalEntry>;
}

export const journalSlot = (partition: number) => `score/${partition}`;
export const journalHeadKey = 'journal/head';
/** Entries kept behind the head, for people who ask which set was in force when. */
const entriesKept = 1_024;

const entrySchema = z.strictObject({
  id: z.string(),
  previous: z.string().nullable(),
  sequence: z.int().min(1),
  from: z.int().min(0),
  upTo: z.int().min(0),
  patternSetId: z.string(),
});

export async function openJournal(state: State, partition: number, newId: () => string): Promise<Journal> {
  const chain = await openCheckpoints<JournalBody>({
    state,
    slot: journalSlot(partition),
    key: journalHeadKey,
    schema: entrySchema,
    newId,
  });
  return {
    get head() {
      return chain.head;
    },
    append(batch) {
      const sequence = (chain.head?.sequence ?? 0) + 1;
      return chain.advance(
        { ...batch, sequence },
        {
          put: (entry) => [{ key: entryKey(sequence), value: encodeJson(entry) }],
          delete: sequence > entriesKept ? [entryKey(sequence - entriesKept)] : [],
        },
      );
    },
  };
}

function entryKey(sequence: number): string {
  return `journal/entry/${String(sequence).padStart(15, '0')}`;
}
