import { z } from 'zod';
import { toldSchema, type Told } from '../domain/dispatch-policy.js';
import { channelNames } from '../domain/delivery.js';
import { levels, warningSchema, type Warning } from '../domain/warning.js';
import type { State, StateEntry } from '../ports/state.js';
import { decodeJson, encodeJson } from './checkpoint.js';
import type { WaitingDelivery } from './delivery-lanes.js';

/**
 * What dispatch keeps in its slot of the state, one slot per partition of `warnings`:
 * `told/<warning>` who was told what · `warning/<warning>` the latest revision, while something of it waits ·
 * `pending/<warning>/<delivery>` a delivery with its due time. Together the pending ones are the scheduler's memory.
 */

const pendingSchema = z.object({
  id: z.string(),
  warningId: z.string(),
  subjectKey: z.string(),
  revision: z.int(),
  level: z.enum(levels),
  recipient: z.string(),
  channel: z.enum(channelNames),
  event: z.enum(['warning.raised', 'warning.updated']),
  /** Attempts made and recorded so far. */
  attempts: z.int(),
  plannedAtMs: z.number(),
  dueMs: z.number(),
  /** What of the schedule the attempt at `dueMs` stands for, in milliseconds from `plannedAtMs`; absent before the second one. */
  slotMs: z.number().optional(),
  /** The warning was withdrawn amid an attempt, or its recipient acknowledged another delivery of it: no other attempt is made. */
  cancelled: z.enum(['acknowledged', 'withdrawn']).optional(),
});
type StoredDelivery = z.infer<typeof pendingSchema>;
export type PendingDelivery = StoredDelivery & Pick<WaitingDelivery, 'lane'>;

export const headSchema = z.object({ next: z.int().nullable() });
/** `next`: offset of the first record of `warnings` that is not planned yet; null before the first. */
export type DispatchHead = z.infer<typeof headSchema>;

export const laneOf = (delivery: { readonly recipient: string; readonly channel: string }) =>
  `${delivery.recipient}/${delivery.channel}`;
export const toldPrefix = 'told/';
export const pendingKey = (delivery: StoredDelivery) => `${pendingPrefix}${delivery.warningId}/${delivery.id}`;
export const warningKey = (warningId: string) => `warning/${warningId}`;

const pendingPrefix = 'pending/';
const pageMax = 1000;

export function pendingEntry(delivery: PendingDelivery): StateEntry {
  const { lane: _, ...stored } = delivery;
  return { key: pendingKey(delivery), value: encodeJson(stored) };
}

export function toldEntry(warningId: string, told: Told): StateEntry {
  return { key: toldPrefix + warningId, value: encodeJson(told) };
}

export function warningEntry(warning: Warning): StateEntry {
  return { key: warningKey(warning.id), value: encodeJson(warning) };
}

export async function readTold(state: State, slot: string, warningIds: readonly string[]): Promise<Map<string, Told>> {
  const values = await state.get(
    slot,
    warningIds.map((id) => toldPrefix + id),
  );
  const told = new Map<string, Told>();
  for (const [i, id] of warningIds.entries()) {
    const value = values[i];
    if (value) told.set(id, toldSchema.parse(decodeJson(value)));
  }
  return told;
}

export async function readWarning(state: State, slot: string, warningId: string): Promise<Warning | null> {
  const [value] = await state.get(slot, [warningKey(warningId)]);
  return value ? warningSchema.parse(decodeJson(value)) : null;
}

/** Everything that waited when the slot was last written. */
export async function readPending(state: State, slot: string): Promise<PendingDelivery[]> {
  const pending: PendingDelivery[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await state.scan(slot, { prefix: pendingPrefix, limit: pageMax, ...(after === undefined ? {} : { after }) });
    for (const { value } of page) {
      const stored = pendingSchema.parse(decodeJson(value));
      pending.push({ ...stored, lane: laneOf(stored) });
    }
    after = page.at(-1)?.key;
    if (page.length < pageMax) return pending;
  }
}

/** Keys of what was told so long ago that nobody will ask again, of one page after `after`; bounded work per call. */
export async function agedTold(
  state: State,
  slot: string,
  after: string | undefined,
  olderThanMs: number,
): Promise<{ keys: string[]; after: string | undefined }> {
  const limit = 200;
  const page = await state.scan(slot, { prefix: toldPrefix, limit, ...(after === undefined ? {} : { after }) });
  const keys = page.filter(({ value }) => toldSchema.parse(decodeJson(value)).seenAtMs < olderThanMs).map(({ key }) => key);
  return { keys, after: page.length < limit ? undefined : page.at(-1)?.key };
}
