import { z } from 'zod';
import { dayNumber, formatDay } from '../domain/bank-day.js';
import type { WarningFacts } from '../domain/warning-facts.js';
import type { Warning } from '../domain/warning.js';
import type { State, StateEntry } from '../ports/state.js';
import { decodeJson, encodeJson } from './checkpoint.js';

/**
 * Where the warnings of one partition lie in the state store:
 *
 * `w/<warning>` the warning and the facts behind it · `t/<warning>/<transaction>` ids of its hits on that transaction, so that
 * each hit and each amount counts once · `d/<day>/<warning>` on which day (wall-clock) it last changed, oldest first; `g/…` the same once its `t/` are removed.
 */
export interface WarningShelf {
  /**
   * Reads the warnings of some hits and commands (which are about no transaction); the answer finds them, and gives an empty
   * place for one that is not there yet.
   */
  load(wanted: readonly { warningId: string; transaction?: string }[]): Promise<(warningId: string) => ShelvedWarning>;
  /** What to write when `warning` (null: nobody is told yet) is the new state of `entry`; takes it over into what is held in memory. */
  changesFor(entry: ShelvedWarning, warning: Warning | null, nowMs: number): { put: StateEntry[]; delete: string[] };
  /** What to write to close and to remove warnings that are long without a change; bounded work. */
  sweep(nowMs: number): Promise<{ put: StateEntry[]; delete: string[] }>;
}

export interface ShelvedWarning {
  readonly id: string;
  warning: Warning | null;
  facts: WarningFacts | null;
  /** Transaction → ids of this warning's hits on it; holds what was loaded, not everything. */
  seen: Map<string, readonly string[]>;
  /** Transactions in `seen` that are not stored yet. */
  changed: Set<string>;
  /** Ids of the latest commands that were obeyed. */
  obeyed: readonly string[];
  touchedDay: string | null;
}

export interface ShelfOptions {
  readonly state: State;
  readonly slot: string;
  readonly settings: { readonly closeAfterDays: number; readonly keepDays: number };
}

/** Warnings held in memory, so that a busy one is not parsed again for every batch. */
const heldMax = 5_000;
const keysMax = 5_000;
/** One sweep looks at so many warnings, and stops once it has so many keys to remove. */
const sweepWarnings = 500;
const sweepTransactions = 2_000;
const sweepKeysMost = 10_000;

const warningKey = (id: string) => `w/${id}`;
const transactionPrefix = (id: string) => `t/${id}/`;
const dayKey = (day: string, id: string) => `d/${day}/${id}`;
const closedKey = (day: string, id: string) => `g/${day}/${id}`;
const nothing = new Uint8Array(0);

/** Written by this program alone; the outer shape is checked, the rest is trusted. */
const storedSchema = z.object({
  warning: z.looseObject({ id: z.string() }).nullable(),
  facts: z.looseObject({ id: z.string() }),
  touchedDay: z.string(),
  obeyed: z.array(z.string()).default([]),
});
const seenSchema = z.array(z.string());

export function createWarningShelf({ state, slot, settings }: ShelfOptions): WarningShelf {
  const held = new Map<string, ShelvedWarning>();

  async function read(keys: readonly string[]): Promise<(Uint8Array | null)[]> {
    const values: (Uint8Array | null)[] = [];
    for (let at = 0; at < keys.length; at += keysMax) values.push(...(await state.get(slot, keys.slice(at, at + keysMax))));
    return values;
  }

  async function fetch(ids: readonly string[]): Promise<void> {
    const missing = ids.filter((id) => !held.has(id));
    const values = await read(missing.map(warningKey));
    for (const [i, id] of missing.entries()) {
      const value = values[i];
      held.set(id, value ? decodeShelved(value) : emptyShelf(id));
    }
  }

  /** The oldest ones go; those just asked for are the youngest. */
  function forget(): void {
    for (const id of held.keys()) {
      if (held.size <= heldMax) return;
      held.delete(id);
    }
  }

  function entryOf(id: string): ShelvedWarning {
    const entry = held.get(id);
    if (!entry) throw new Error(`warning ${id} was not loaded`);
    return entry;
  }

  return {
    async load(wanted) {
      const ids = [...new Set(wanted.map(({ warningId }) => warningId))];
      await fetch(ids);
      // A map keeps the order of insertion: what is used now is put behind what is not.
      for (const id of ids) {
        const entry = entryOf(id);
        held.delete(id);
        held.set(id, entry);
        entry.seen.clear();
        entry.changed.clear();
      }
      const pairs = new Map<string, { warningId: string; transaction: string }>();
      for (const { warningId, transaction } of wanted) {
        if (transaction !== undefined) pairs.set(transactionPrefix(warningId) + transaction, { warningId, transaction });
      }
      const known = await read([...pairs.keys()]);
      for (const [i, { warningId, transaction }] of [...pairs.values()].entries()) {
        const value = known[i];
        if (value) entryOf(warningId).seen.set(transaction, seenSchema.parse(decodeJson(value)));
      }
      const batch = new Map(ids.map((id) => [id, entryOf(id)]));
      forget();
      return (id) => batch.get(id) ?? entryOf(id);
    },

    changesFor(entry, warning, nowMs) {
      const today = formatDay(dayNumber(nowMs));
      const put: StateEntry[] = [
        {
          key: warningKey(entry.id),
          value: encodeJson({ warning, facts: entry.facts, touchedDay: today, obeyed: entry.obeyed }),
        },
        ...[...entry.changed].map((transaction) => ({
          key: transactionPrefix(entry.id) + transaction,
          value: encodeJson(entry.seen.get(transaction) ?? []),
        })),
      ];
      const before = entry.touchedDay;
      const removed = before !== null && before !== today ? [dayKey(before, entry.id), closedKey(before, entry.id)] : [];
      if (before !== today) put.push({ key: dayKey(today, entry.id), value: nothing });
      entry.warning = warning;
      entry.touchedDay = today;
      return { put, delete: removed };
    },

    async sweep(nowMs) {
      const today = dayNumber(nowMs);
      const put: StateEntry[] = [];
      const removed: string[] = [];
      for (const { key, day, id } of await oldest('d/', formatDay(today - settings.closeAfterDays))) {
        const helps = await state.scan(slot, { prefix: transactionPrefix(id), limit: sweepTransactions });
        removed.push(...helps.map((help) => help.key));
        if (helps.length === sweepTransactions) break;
        removed.push(key);
        put.push({ key: closedKey(day, id), value: nothing });
        if (removed.length >= sweepKeysMost) break;
      }
      for (const { key, id } of await oldest('g/', formatDay(today - settings.keepDays))) {
        removed.push(key, warningKey(id));
        held.delete(id);
      }
      return { put, delete: removed };
    },
  };

  async function oldest(prefix: string, before: string): Promise<{ key: string; day: string; id: string }[]> {
    const entries = await state.scan(slot, { prefix, limit: sweepWarnings });
    return entries
      .map(({ key }) => {
        const [, day = '', id = ''] = key.split('/');
        return { key, day, id };
      })
      .filter(({ day }) => day < before);
  }
}

function emptyShelf(id: string): ShelvedWarning {
  return { id, warning: null, facts: null, seen: new Map(), changed: new Set(), obeyed: [], touchedDay: null };
}

function decodeShelved(value: Uint8Array): ShelvedWarning {
  const { warning, facts, touchedDay, obeyed } = storedSchema.parse(decodeJson(value)) as unknown as {
    warning: Warning | null;
    facts: WarningFacts;
    touchedDay: string;
    obeyed: string[];
  };
  return { ...emptyShelf(facts.id), warning, facts, touchedDay, obeyed };
}
