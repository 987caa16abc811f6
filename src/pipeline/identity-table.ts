/**
 * The identities of all transactions of a run with the hash of their content: 16 bytes each, in typed arrays. Two identities
 * are taken for one where 64 bits of hash agree, once in about 10^7 runs of ten million transactions.
 */
export interface IdentityTable {
  claim(low: number, high: number, contentLow: number, contentHigh: number): 'new' | 'known' | 'conflict';
  bytesUsed(): number;
}

const width = 4;

export function createIdentityTable(capacity = 1 << 14): IdentityTable {
  let places = capacity;
  let rows = new Int32Array(places * width);
  let size = 0;

  function place(low: number, high: number): number {
    let at = (low ^ (low >>> 15)) & (places - 1);
    for (;;) {
      const row = at * width;
      const isFree = rows[row] === 0 && rows[row + 1] === 0;
      if (isFree || (rows[row] === low && rows[row + 1] === high)) return row;
      at = (at + 1) & (places - 1);
    }
  }

  function grow(): void {
    const old = rows;
    places *= 2;
    rows = new Int32Array(places * width);
    for (let row = 0; row < old.length; row += width) {
      if (old[row] !== 0 || old[row + 1] !== 0) rows.set(old.subarray(row, row + width), place(old[row]!, old[row + 1]!));
    }
  }

  return {
    claim(low, high, contentLow, contentHigh) {
      // All zero marks a free place.
      const second = low === 0 && high === 0 ? 1 : high;
      const row = place(low, second);
      if (rows[row] === low && rows[row + 1] === second)
        return rows[row + 2] === contentLow && rows[row + 3] === contentHigh ? 'known' : 'conflict';
      rows[row] = low;
      rows[row + 1] = second;
      rows[row + 2] = contentLow;
      rows[row + 3] = contentHigh;
      if (++size * 3 > places * 2) grow();
      return 'new';
    },
    bytesUsed: () => rows.byteLength,
  };
}
