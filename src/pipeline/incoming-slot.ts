import { z } from 'zod';
import type { State } from '../ports/state.js';
import { decodeJson } from './checkpoint.js';
import { ownedHeadKey } from './owned-slot.js';

/** How far the records that banks write to the log themselves have been taken in. */

export const incomingSlot = (partition: number) => `incoming/${partition}`;

/** `next`: offset of `incoming` to read next; null before the first batch. */
export const incomingHeadSchema = z.object({ next: z.int().nullable() });

const storedSchema = z.object({ data: incomingHeadSchema });

/** Offset of `incoming` below which every record was taken or refused; null where none is known to be. */
export async function takenUpTo(state: State, partition: number): Promise<number | null> {
  const [value] = await state.get(incomingSlot(partition), [ownedHeadKey]);
  return value ? storedSchema.parse(decodeJson(value)).data.next : null;
}
