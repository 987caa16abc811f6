/**
 * Where somebody reads who comes back with what was seen last: a place in each partition of a topic.
 */

/** A cursor of another feed or of another number of partitions. */
export class CursorUnknown extends Error {
  readonly retriable = false;
  readonly statusCode = 400;
  constructor() {
    super('the cursor is not one of this list; start again from the first kept item, or from now');
    this.name = 'CursorUnknown';
  }
}

/** Items of the record at `offset` before `index` have been seen, and every record before it. */
export interface Position {
  readonly offset: number;
  readonly index: number;
}

export function isAfter(a: Position, b: Position): boolean {
  return a.offset > b.offset || (a.offset === b.offset && a.index > b.index);
}

/** `12.0_7.3`: offset and index by partition. */
export function encodeCursor(positions: readonly Position[]): string {
  return positions.map(({ offset, index }) => `${offset}.${index}`).join('_');
}

/** Throws `CursorUnknown`. */
export function decodeCursor(cursor: string, partitions: number): Position[] {
  const parts = cursor.length <= 40 * partitions ? cursor.split('_') : [];
  if (parts.length !== partitions) throw new CursorUnknown();
  return parts.map((part) => {
    const [, offset, index] = /^(\d{1,15})\.(\d{1,9})$/.exec(part) ?? [];
    if (offset === undefined || index === undefined) throw new CursorUnknown();
    return { offset: Number(offset), index: Number(index) };
  });
}

/** The partition whose next entry is oldest; the lowest where several are; -1 where there is none. */
export function earliest(queues: readonly (readonly { readonly timeMs: number }[])[]): number {
  let best = -1;
  let bestMs = Infinity;
  for (const [p, [head]] of queues.entries()) {
    if (!head || (best >= 0 && head.timeMs >= bestMs)) continue;
    best = p;
    bestMs = head.timeMs;
  }
  return best;
}
