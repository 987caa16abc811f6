/**
 * What is expected to be found, by key, with a digest of its content and a mark for each that was found. Bounded: whoever fills
 * it looks at `isFull`, has it looked up, clears it and goes on.
 */
export interface Ledger {
  readonly size: number;
  readonly isFull: boolean;
  /** `owner` and `offset`: the partition and the record of `transactions` that lead to it. Throws `RangeError` for a key that is there. */
  expect(key: string, digest: number, owner: number, offset: number): void;
  /** Marks it as found. `other`: it is expected with another content. */
  find(key: string, digest: number): Found;
  /** Those that were never found with their content. */
  unfound(): Iterable<Unfound>;
  clear(): void;
}

export type Found = 'first' | 'again' | 'other' | 'unknown';

export interface Unfound {
  readonly key: string;
  readonly owner: number;
  readonly offset: number;
  /** Found under its key, but with another content. */
  readonly hasOther: boolean;
}

const found = 1;
const other = 2;

/** `sizeMax` things take some 120 bytes each. */
export function createLedger(sizeMax: number): Ledger {
  const places = new Map<string, number>();
  let digests = new Float64Array(1024);
  let offsets = new Float64Array(1024);
  let owners = new Uint16Array(1024);
  let marks = new Uint8Array(1024);

  function grow(): void {
    const size = digests.length * 2;
    const [oldDigests, oldOffsets, oldOwners, oldMarks] = [digests, offsets, owners, marks];
    digests = new Float64Array(size);
    offsets = new Float64Array(size);
    owners = new Uint16Array(size);
    marks = new Uint8Array(size);
    digests.set(oldDigests);
    offsets.set(oldOffsets);
    owners.set(oldOwners);
    marks.set(oldMarks);
  }

  return {
    get size() {
      return places.size;
    },
    get isFull() {
      return places.size >= sizeMax;
    },
    expect(key, digest, owner, offset) {
      const at = places.size;
      if (places.has(key)) throw new RangeError(`${key} is expected twice`);
      places.set(key, at);
      if (at === digests.length) grow();
      digests[at] = digest;
      offsets[at] = offset;
      owners[at] = owner;
      marks[at] = 0;
    },
    find(key, digest) {
      const at = places.get(key);
      if (at === undefined) return 'unknown';
      if (digests[at] !== digest) {
        marks[at] = marks[at]! | other;
        return 'other';
      }
      if ((marks[at]! & found) !== 0) return 'again';
      marks[at] = marks[at]! | found;
      return 'first';
    },
    *unfound() {
      for (const [key, at] of places) {
        if ((marks[at]! & found) !== 0) continue;
        yield { key, owner: owners[at]!, offset: offsets[at]!, hasOther: (marks[at]! & other) !== 0 };
      }
    },
    clear() {
      places.clear();
    },
  };
}
