import { z } from 'zod';
import { formatShanghai } from '../domain/bank-day.js';
import { encodeEvents } from '../domain/event.js';
import { derivedId } from '../domain/identity.js';
import { partitionOf } from '../domain/partition.js';
import { warningCommandSchema, type WarningCommand } from '../domain/warning-command.js';
import type { WarningFacts } from '../domain/warning-facts.js';
import { obeyCommand } from '../domain/warning-policy.js';
import type { Verdict, Warning } from '../domain/warning.js';
import type { Log } from '../ports/log.js';
import type { State } from '../ports/state.js';
import { decodeJson } from './checkpoint.js';
import { CursorUnknown } from './log-cursor.js';
import { warnSlot } from './warn-partition.js';

/** Warnings as others read them and answer to them. */
export interface WarningsReader {
  /** Null for an unknown id and for a warning that has left the state store (see `keepDays`). */
  get(id: string): Promise<Warning | null>;
  /**
   * Warnings that nobody has acknowledged, whatever their age, in no order that means anything. `next` is null at the end; before
   * that a page may be short or empty. Throws `CursorUnknown`.
   */
  open(query: { after?: string | undefined; limit: number }): Promise<{ items: Warning[]; next: string | null }>;
}

export interface WarningsOptions {
  readonly state: State;
  /** Of `hits`. */
  readonly partitions: number;
}

const storedSchema = z.object({
  warning: z.looseObject({ id: z.string() }).nullable(),
  facts: z.looseObject({ id: z.string() }),
});

/** Looks into every partition: an id does not tell where its warning lies, and an index beside it could be wrong after a crash. */
export function createWarningsReader(options: WarningsOptions): WarningsReader {
  return {
    get: async (id) => (await findStored(options, id))?.warning ?? null,
    open: (query) => readOpen(options, query),
  };
}

/** Stored warnings looked at for one page, so that a page costs about the same whether many are open or few. */
const lookedAtMax = 2_000;
const scanMax = 200;
const openMark = '"status":"open"';

async function readOpen({ state, partitions }: WarningsOptions, { after, limit }: { after?: string | undefined; limit: number }) {
  const items: Warning[] = [];
  let { partition, id } = readPlace(after, partitions);
  for (let lookedAt = 0; lookedAt < lookedAtMax; lookedAt += scanMax) {
    const entries = await state.scan(warnSlot(partition), { prefix: 'w/', after: `w/${id}`, limit: scanMax });
    for (const { key, value } of entries) {
      if (items.length === limit) return { items, next: `${partition}.${id}` };
      items.push(...openWarning(value));
      id = key.slice('w/'.length);
    }
    if (entries.length === scanMax) continue;
    partition++;
    id = '';
    if (partition === partitions) return { items, next: null };
  }
  return { items, next: `${partition}.${id}` };
}

/** Most are not open: those are told by their bytes, without being parsed. */
function openWarning(value: Uint8Array): Warning[] {
  if (!Buffer.from(value.buffer, value.byteOffset, value.byteLength).includes(openMark)) return [];
  const { warning } = storedSchema.parse(decodeJson(value)) as unknown as { warning: Warning | null };
  return warning?.status === 'open' ? [warning] : [];
}

/** `3.<id>`: everything of the partitions before, and of this one up to and including this warning, has been read. */
function readPlace(cursor: string | undefined, partitions: number): { partition: number; id: string } {
  if (cursor === undefined) return { partition: 0, id: '' };
  const [, partition, id = ''] = /^(\d{1,6})\.([\w-]{0,128})$/.exec(cursor) ?? [];
  if (partition === undefined || Number(partition) >= partitions) throw new CursorUnknown();
  return { partition: Number(partition), id };
}

async function findStored(
  { state, partitions }: WarningsOptions,
  id: string,
): Promise<{ warning: Warning; facts: WarningFacts } | null> {
  const slots = Array.from({ length: partitions }, (_, partition) => warnSlot(partition));
  const found = await Promise.all(slots.map((slot) => state.get(slot, [`w/${id}`])));
  const value = found.flat().find((one) => one !== null);
  if (!value) return null;
  const { warning, facts } = storedSchema.parse(decodeJson(value)) as unknown as { warning: Warning | null; facts: WarningFacts };
  // Hits below the least score are kept without a warning: nobody was told.
  return warning && { warning, facts };
}

type WarningWord =
  | { readonly kind: 'acknowledge'; readonly note?: string }
  | { readonly kind: 'dispose'; readonly verdict: Verdict; readonly note?: string }
  | { readonly kind: 'appeal'; readonly text: string };

type WarningWordResult =
  /** On the log; `warning` is what it will be once the owner has read it. */
  | { readonly kind: 'accepted'; readonly warning: Warning }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'conflict'; readonly reason: string };

export interface WarningCommands {
  /** What `by` says about a warning. `idempotencyKey`: the same key means the same word. */
  command(id: string, word: WarningWord, by: string, idempotencyKey?: string): Promise<WarningWordResult>;
}

export interface WarningCommandsOptions extends WarningsOptions {
  readonly log: Log;
  readonly clock: { now(): number };
  readonly newId: () => string;
}

/** Puts what people say on `commands`, durable before it is answered. */
export function createWarningCommands(options: WarningCommandsOptions): WarningCommands {
  const { log, clock, newId } = options;
  return {
    async command(id, word, by, idempotencyKey) {
      const stored = await findStored(options, id);
      if (!stored) return { kind: 'not-found' };
      const subjectKey = stored.warning.subject.key;
      // Whoever reads it checks it so: what does not pass must not be answered as accepted.
      const command = warningCommandSchema.parse(commandOf(word, { warningId: id, subjectKey, by }));
      const at = formatShanghai(clock.now());
      const outcome = obeyCommand(stored.warning, stored.facts, command, at);
      if (outcome.kind === 'refused') return { kind: 'conflict', reason: outcome.reason };
      if (outcome.kind === 'unchanged') return { kind: 'accepted', warning: stored.warning };
      const cause = idempotencyKey ?? newId();
      const eventId = derivedId('command', command.type, id, by, cause);
      const event = { id: eventId, ...command, source: 'huqi/http', subject: id, time: at };
      // A producer of its own for each word: words are harmless when repeated, and have no order among themselves.
      const value = encodeEvents({ producer: `command/${eventId}`, sequence: 0, events: [event] });
      await log.append([{ topic: 'commands', partition: partitionOf(subjectKey, log.partitions('commands')), value }]);
      return { kind: 'accepted', warning: outcome.warning };
    },
  };
}

function commandOf(word: WarningWord, about: { warningId: string; subjectKey: string; by: string }): WarningCommand {
  switch (word.kind) {
    case 'acknowledge':
      return { type: 'warning.acknowledge', data: { ...about, ...noteOf(word.note) } };
    case 'dispose':
      return { type: 'warning.dispose', data: { ...about, verdict: word.verdict, ...noteOf(word.note) } };
    case 'appeal':
      return { type: 'warning.appeal', data: { ...about, text: word.text } };
  }
}

function noteOf(note: string | undefined): { note?: string } {
  return note === undefined ? {} : { note };
}
