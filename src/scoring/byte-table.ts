/**
 * Gives byte strings (account numbers) small numbers, 0, 1, 2 …, for ever the same. Open addressing over typed arrays;
 * the bytes themselves are kept and compared, so two accounts never share a number.
 */
export interface ByteTable {
  readonly size: number;
  /** Number of `bytes[start, end)`, given on first sight. `hash` must be `hashBytes` of it. */
  intern(bytes: Uint8Array, start: number, end: number, hash: number): number;
  text(id: number): string;
  bytesUsed(): number;
}

const arenaBits = 20;
const arenaBytes = 1 << arenaBits;
const decoder = new TextDecoder();

export function createByteTable(capacity = 1024): ByteTable {
  let mask = capacity - 1;
  let slots = new Int32Array(capacity).fill(-1);
  let hashes = new Int32Array(capacity);
  /** Arena number × 2^20 + offset in it. */
  let places = new Uint32Array(capacity);
  let lengths = new Uint8Array(capacity);
  const arenas: Uint8Array[] = [new Uint8Array(arenaBytes)];
  let arenaAt = 0;
  let size = 0;

  function equals(id: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (lengths[id] !== length) return false;
    const place = places[id]!;
    const arena = arenas[place >>> arenaBits]!;
    const at = place & (arenaBytes - 1);
    for (let i = length - 1; i >= 0; i--) if (arena[at + i] !== bytes[start + i]) return false;
    return true;
  }

  function keep(bytes: Uint8Array, start: number, length: number): number {
    if (arenaAt + length > arenaBytes) {
      arenas.push(new Uint8Array(arenaBytes));
      arenaAt = 0;
    }
    arenas[arenas.length - 1]!.set(bytes.subarray(start, start + length), arenaAt);
    const place = (arenas.length - 1) * arenaBytes + arenaAt;
    arenaAt += length;
    return place;
  }

  function grow(): void {
    const wider = slots.length * 2;
    mask = wider - 1;
    slots = new Int32Array(wider).fill(-1);
    hashes = widen(hashes, new Int32Array(wider));
    places = widen(places, new Uint32Array(wider));
    lengths = widen(lengths, new Uint8Array(wider));
    for (let id = 0; id < size; id++) {
      let at = spread(hashes[id]!) & mask;
      while (slots[at] !== -1) at = (at + 1) & mask;
      slots[at] = id;
    }
  }

  return {
    get size() {
      return size;
    },
    intern(bytes, start, end, hash) {
      const length = end - start;
      let at = spread(hash) & mask;
      for (;;) {
        const id = slots[at]!;
        if (id === -1) break;
        if (hashes[id] === hash && equals(id, bytes, start, length)) return id;
        at = (at + 1) & mask;
      }
      if (length > 255) throw new RangeError(`account of ${length} bytes; at most 255`);
      const id = size++;
      hashes[id] = hash;
      lengths[id] = length;
      places[id] = keep(bytes, start, length);
      slots[at] = id;
      // At most 5/8 full: `size` indexes the columns, which are as wide as the table.
      if (size * 8 > slots.length * 5) grow();
      return id;
    },
    text(id) {
      const place = places[id]!;
      const at = place & (arenaBytes - 1);
      return decoder.decode(arenas[place >>> arenaBits]!.subarray(at, at + lengths[id]!));
    },
    bytesUsed: () => slots.byteLength + hashes.byteLength + places.byteLength + lengths.byteLength + arenas.length * arenaBytes,
  };
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
