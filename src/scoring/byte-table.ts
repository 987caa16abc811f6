import { kept, keptTables, snapshotted, type Snapshotted } from './snapshot-state.js';
import { hashBytes } from './transaction-view.js';

/**
 * Gives byte strings (account numbers) small numbers, 0, 1, 2 …, for ever the same. Open addressing over typed arrays;
 * the bytes themselves are kept and compared, so two accounts never share a number.
 */
export interface ByteTable {
  readonly size: number;
  /** Number of `bytes[start, end)`, given on first sight. `hash` must be `hashBytes` of it. */
  intern(bytes: Uint8Array, start: number, end: number, hash: number): number;
  text(id: number): string;
  /** Number that another table gives, on first sight, to what `id` is here. */
  internInto(other: ByteTable, id: number): number;
  /** Bring the place of a hash, and then the bytes there, into the cache. What they return means nothing. */
  touch(hash: number): number;
  touchBytes(hash: number): number;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const arenaBits = 20;
const arenaBytes = 1 << arenaBits;
const decoder = new TextDecoder();

/** A place of the table, in 32-bit words: hash, number + 1 (0 = free), where the bytes are, how many. One cache line holds four. */
const placeWords = 4;

export function createByteTable(capacity = 1024): ByteTable {
  let mask = capacity - 1;
  let places = new Int32Array(capacity * placeWords);
  /** By number: where its bytes are, and how many. */
  let starts = new Uint32Array(capacity);
  let lengths = new Uint8Array(capacity);
  let arenas: Uint8Array[] = [new Uint8Array(arenaBytes)];
  let arenaAt = 0;
  let size = 0;

  function keep(bytes: Uint8Array, start: number, length: number): number {
    if (arenaAt + length > arenaBytes) {
      arenas.push(new Uint8Array(arenaBytes));
      arenaAt = 0;
    }
    arenas[arenas.length - 1]!.set(bytes.subarray(start, start + length), arenaAt);
    const kept = (arenas.length - 1) * arenaBytes + arenaAt;
    arenaAt += length;
    return kept;
  }

  function grow(): void {
    const old = places;
    const wider = (mask + 1) * 2;
    mask = wider - 1;
    places = new Int32Array(wider * placeWords);
    starts = widen(starts, new Uint32Array(wider));
    lengths = widen(lengths, new Uint8Array(wider));
    for (let place = 0; place < old.length; place += placeWords) {
      if (old[place + 1] === 0) continue;
      let at = spread(old[place]!) & mask;
      while (places[at * placeWords + 1] !== 0) at = (at + 1) & mask;
      for (let word = 0; word < placeWords; word++) places[at * placeWords + word] = old[place + word]!;
    }
  }

  return {
    get size() {
      return size;
    },
    intern(bytes, start, end, hash) {
      const length = end - start;
      let at = spread(hash) & mask;
      let place = at * placeWords;
      while (places[place + 1] !== 0) {
        if (places[place] === hash && places[place + 3] === length) {
          const kept = places[place + 2]! >>> 0;
          if (equals(arenas[kept >>> arenaBits]!, kept & (arenaBytes - 1), bytes, start, length)) return places[place + 1]! - 1;
        }
        at = (at + 1) & mask;
        place = at * placeWords;
      }
      if (length > 255) throw new RangeError(`account of ${length} bytes; at most 255`);
      const id = size++;
      const kept = keep(bytes, start, length);
      starts[id] = kept;
      lengths[id] = length;
      places[place] = hash;
      places[place + 1] = id + 1;
      places[place + 2] = kept;
      places[place + 3] = length;
      // At most 5/8 full: `size` indexes the columns, which are as wide as the table.
      if (size * 8 > (mask + 1) * 5) grow();
      return id;
    },
    touch: (hash) => places[(spread(hash) & mask) * placeWords]!,
    touchBytes(hash) {
      const kept = places[(spread(hash) & mask) * placeWords + 2]! >>> 0;
      return arenas[kept >>> arenaBits]![kept & (arenaBytes - 1)]!;
    },
    text(id) {
      const kept = starts[id]!;
      const at = kept & (arenaBytes - 1);
      return decoder.decode(arenas[kept >>> arenaBits]!.subarray(at, at + lengths[id]!));
    },
    internInto(other, id) {
      const kept = starts[id]!;
      const at = kept & (arenaBytes - 1);
      const arena = arenas[kept >>> arenaBits]!;
      return other.intern(arena, at, at + lengths[id]!, hashBytes(arena, at, at + lengths[id]!));
    },
    bytesUsed: () => places.byteLength + starts.byteLength + lengths.byteLength + arenas.length * arenaBytes,
    snapshot: snapshotted(
      () => ({
        places: kept(places),
        starts: kept(starts, size),
        lengths: kept(lengths, size),
        arenas: keptTables(arenas.map((arena, i) => kept(arena, i < arenas.length - 1 ? arenaBytes : arenaAt))),
        arenaAt,
        size,
      }),
      (state) => {
        ({ places, starts, lengths, arenaAt, size } = state);
        mask = places.length / placeWords - 1;
        arenas = [...state.arenas];
      },
    ),
  };
}

function equals(arena: Uint8Array, at: number, bytes: Uint8Array, start: number, length: number): boolean {
  for (let i = length - 1; i >= 0; i--) if (arena[at + i] !== bytes[start + i]) return false;
  return true;
}

/** Mixes a hash so that its low bits are good for a power-of-two table. */
export function spread(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b);
  return mixed ^ (mixed >>> 16);
}

export function widen<T extends { set(from: ArrayLike<number>): void }>(from: ArrayLike<number>, into: T): T {
  into.set(from);
  return into;
}
