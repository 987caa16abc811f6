import { z } from 'zod';
import { archivedTopics as topics, type Log } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { Archive } from './archive.js';
import { decodeJson, encodeJson } from './checkpoint.js';
import type { Intake } from './intake.js';
import type { Keys } from './keys.js';

/**
 * Old records leave the log, old claims leave the state. What is not archived is never trimmed. To know how old a record is,
 * the end of every partition is noted from time to time with the hour; all below a note is at least as old as the note.
 */
export interface Retention {
  stop(): Promise<void>;
}

export interface RetentionOptions {
  readonly log: Log;
  readonly state: State;
  readonly archive: Pick<Archive, 'storedUpTo'>;
  readonly intake: Pick<Intake, 'sweepClaims'>;
  readonly keys: Pick<Keys, 'refresh'>;
  readonly settings: { readonly retentionMs: number; readonly trimEveryMs: number };
  readonly clock: { now(): number };
  readonly telemetry: Pick<Telemetry, 'retentionFailed'>;
}

const slot = 'retention';
const notesKey = 'notes';
/** Notes kept at most; the age of a record is known to within a two-hundredth of the retention. */
const notesMax = 200;
const notesSchema = z.array(z.object({ atMs: z.number(), ends: z.record(z.string(), z.int()) }));
type Note = z.infer<typeof notesSchema>[number];

export function startRetention(options: RetentionOptions): Retention {
  const { settings, telemetry } = options;
  let under: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    under = under.then(() => retain(options)).catch((error: unknown) => telemetry.retentionFailed(error));
  }, settings.trimEveryMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await under;
    },
  };
}

/** One round: keys that another process made, claims that are too old, records that are too old. Bounded work. */
export async function retain({ log, state, archive, intake, keys, settings, clock }: RetentionOptions): Promise<void> {
  await keys.refresh();
  await intake.sweepClaims();
  const [value] = await state.get(slot, [notesKey]);
  const notes: Note[] = value ? notesSchema.parse(decodeJson(value)) : [];
  const nowMs = clock.now();
  const old = notes.findLast(({ atMs }) => atMs <= nowMs - settings.retentionMs);
  if (old) await trimBelow(log, archive, old);
  const latest = notes.at(-1);
  if (latest && nowMs - latest.atMs < settings.retentionMs / notesMax) return;
  const kept = [
    ...notes.filter((note) => note === old || note.atMs > nowMs - settings.retentionMs),
    { atMs: nowMs, ends: await endsOf(log) },
  ];
  await state.commit(slot, { put: [{ key: notesKey, value: encodeJson(kept) }] });
}

async function trimBelow(log: Log, archive: Pick<Archive, 'storedUpTo'>, note: Note): Promise<void> {
  for (const topic of topics) {
    for (let partition = 0; partition < log.partitions(topic); partition++) {
      const below = Math.min(note.ends[`${topic}/${partition}`] ?? 0, archive.storedUpTo(topic, partition) ?? 0);
      if (below > 0) await log.trim(topic, partition, below);
    }
  }
}

async function endsOf(log: Log): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  for (const topic of topics) {
    for (let partition = 0; partition < log.partitions(topic); partition++)
      ends[`${topic}/${partition}`] = (await log.bounds(topic, partition)).next;
  }
  return ends;
}
