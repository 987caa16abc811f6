import { z } from 'zod';
import type { Log, OutgoingRecord } from '../ports/log.js';
import type { State } from '../ports/state.js';
import { encodeJson, openCheckpoints, type Link } from './checkpoint.js';

/**
 * Which batch of the log was scored under which pattern set, written before the batch's hits leave. What is journaled is
 * scored again after a crash under the same set, and gives the same hits with the same ids and numbers.
 */
interface JournalBody {
  /** Counts the batches of the partition, from 1; 0 before the first. */
  readonly sequence: number;
  /** Offsets of `transactions`: `[from, upTo)`. */
  readonly from: number;
  readonly upTo: number;
  readonly patternSetId: string;
  /** Id of the batch, and of the one before it. Whoever takes the partition over writes the last batch again under a link of their own. */
  readonly batch: string;
  readonly before: string | null;
}
export type JournalEntry = Link<JournalBody>;

export interface Journal {
  /** The last batch; null before the first. */
  readonly head: JournalEntry | null;
  /**
   * Writes the entry, then sends what the batch led to. Both are durable when it resolves. Throws `OwnershipLost` when another
   * scorer has written to this journal: nothing is sent then.
   */
  append(batch: Pick<JournalBody, 'from' | 'upTo' | 'patternSetId'>, outputs: readonly OutgoingRecord[]): Promise<JournalEntry>;
  /** Throws `OwnershipLost` where the last entry does not stand any more. */
  verify(): Promise<void>;
}

export const journalSlot = (partition: number) => `score/${partition}`;
export const journalHeadKey = 'journal/head';
/** Entries kept behind the head at least, for people who ask which set was in force when. */
const entriesKept = 1_024;
/** So many of them go at once: each removal writes pages of the store that nothing else of the commit touches. */
const entriesRemoved = 64;

export const journalEntrySchema = z.strictObject({
  id: z.string(),
  previous: z.string().nullable(),
  sequence: z.int().min(0),
  from: z.int().min(0),
  upTo: z.int().min(0),
  patternSetId: z.string(),
  // Entries of earlier releases have none.
  batch: z.string().default(''),
  before: z.string().nullable().default(null),
});

const nothingScored: JournalBody = { sequence: 0, from: 0, upTo: 0, patternSetId: '', batch: '', before: null };

/** Takes the journal over: whoever wrote to it before cannot any more. */
export async function openJournal(
  { state, log }: { readonly state: State; readonly log: Pick<Log, 'append'> },
  partition: number,
  newId: () => string,
): Promise<Journal> {
  const chain = await openCheckpoints<JournalBody>({
    state,
    log,
    slot: journalSlot(partition),
    key: journalHeadKey,
    schema: journalEntrySchema,
    newId,
  });
  const { id: _, previous: _before, ...last } = chain.head ?? { id: '', previous: null, ...nothingScored };
  await chain.advance(last);
  const lastBatch = () => (chain.head && chain.head.sequence > 0 ? chain.head : null);
  return {
    get head() {
      return lastBatch();
    },
    verify: () => chain.verify(),
    append(batch, outputs) {
      const sequence = (chain.head?.sequence ?? 0) + 1;
      return chain.advance(
        { ...batch, sequence, batch: newId(), before: lastBatch()?.batch ?? null },
        {
          put: (entry) => [{ key: journalEntryKey(sequence), value: encodeJson(entry) }],
          delete: sequence % entriesRemoved === 0 ? outdatedAt(sequence) : [],
          append: outputs,
        },
      );
    },
  };
}

export const journalEntryPrefix = 'journal/entry/';

/** Keys of the entries that are not kept beside this one any more, and were beside the one `entriesRemoved` before it. */
function outdatedAt(sequence: number): string[] {
  const last = sequence - entriesKept;
  return Array.from({ length: entriesRemoved }, (_, back) => last - back)
    .filter((outdated) => outdated > 0)
    .map(journalEntryKey);
}

function journalEntryKey(sequence: number): string {
  return `${journalEntryPrefix}${String(sequence).padStart(15, '0')}`;
}
