/**
 * The legs of one partition, append-only. A leg is named by its slot. Chunks whose legs nobody needs any more are used
 * again, so slots are not in time order; `arrival` is.
 *
 * A leg is 48 bytes in one place, so that looking at it costs one cache line: two doubles and eight words over one buffer.
 */
export const chunkBits = 13;
export const chunkLegs = 1 << chunkBits;
export const chunkMask = chunkLegs - 1;

/** Places in `numbers`, `numberWidth` to a leg. */
export const legNumber = { timeMs: 0, amountFen: 1 } as const;
export const numberWidth = 6;

/** Places in `words`, `wordWidth` to a leg. `province`: of the counterparty, 0 unknown. */
export const legWord = {
  subject: 4,
  pair: 5,
  /** One bit per stream that the leg belongs to. */
  streams: 6,
  /** Neighbours of the same subject in time order, and the pair's leg that arrived before; -1 at the ends. */
  previous: 7,
  next: 8,
  previousOfPair: 9,
  province: 10,
  idStart: 11,
} as const;
export const wordWidth = 12;

export class LegChunk {
  readonly numbers = new Float64Array(chunkLegs * numberWidth);
  readonly words = new Int32Array(this.numbers.buffer);
  idBytes = new Uint8Array(chunkLegs * 24);
  idEnd = 0;
  used = 0;
  /** Arrival number of the chunk's first leg: grows over the life of the log. */
  arrival = 0;
  latestMs = -Infinity;
}

export class LegLog {
  readonly chunks: LegChunk[] = [];
  /** Indices of chunks in arrival order, oldest first; the last one is being filled. */
  readonly order: number[] = [];
  private readonly spare: number[] = [];
  private arrivals = 0;
  private filling = -1;
  legs = 0;

  /** A slot for one more leg, with its time and transaction id; the caller fills the rest. */
  add(timeMs: number, idSource: Uint8Array, idStart: number, idEnd: number): number {
    let chunk = this.filling < 0 ? undefined : this.chunks[this.filling];
    if (!chunk || chunk.used === chunkLegs) {
      this.filling = this.nextChunk();
      chunk = this.chunks[this.filling]!;
    }
    const at = chunk.used++;
    const from = chunk.idEnd;
    const to = from + idEnd - idStart + 1;
    if (to > chunk.idBytes.length) {
      const wider = new Uint8Array(Math.max(to, chunk.idBytes.length * 2));
      wider.set(chunk.idBytes);
      chunk.idBytes = wider;
    }
    chunk.idBytes[from] = idEnd - idStart;
    for (let i = idStart, j = from + 1; i < idEnd; i++, j++) chunk.idBytes[j] = idSource[i]!;
    chunk.idEnd = to;
    chunk.words[at * wordWidth + legWord.idStart] = from;
    chunk.numbers[at * numberWidth + legNumber.timeMs] = timeMs;
    if (timeMs > chunk.latestMs) chunk.latestMs = timeMs;
    this.arrivals++;
    this.legs++;
    return (this.filling << chunkBits) | at;
  }

  arrival(slot: number): number {
    return this.chunks[slot >>> chunkBits]!.arrival + (slot & chunkMask);
  }

  timeMs(slot: number): number {
    return this.chunks[slot >>> chunkBits]!.numbers[(slot & chunkMask) * numberWidth + legNumber.timeMs]!;
  }

  amountFen(slot: number): number {
    return this.chunks[slot >>> chunkBits]!.numbers[(slot & chunkMask) * numberWidth + legNumber.amountFen]!;
  }

  word(slot: number, place: number): number {
    return this.chunks[slot >>> chunkBits]!.words[(slot & chunkMask) * wordWidth + place]!;
  }

  setWord(slot: number, place: number, value: number): void {
    this.chunks[slot >>> chunkBits]!.words[(slot & chunkMask) * wordWidth + place] = value;
  }

  transactionId(slot: number): string {
    const { idBytes } = this.chunks[slot >>> chunkBits]!;
    const from = this.word(slot, legWord.idStart);
    return idDecoder.decode(idBytes.subarray(from + 1, from + 1 + idBytes[from]!));
  }

  hasTransactionId(slot: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { idBytes } = this.chunks[slot >>> chunkBits]!;
    const from = this.word(slot, legWord.idStart);
    if (idBytes[from] !== end - start) return false;
    for (let i = start, j = from + 1; i < end; i++, j++) if (idBytes[j] !== bytes[i]) return false;
    return true;
  }

  /** The oldest chunk where it is full and its legs all lie before `beforeMs`; -1 otherwise. */
  oldestBefore(beforeMs: number): number {
    const oldest = this.order[0];
    if (oldest === undefined || this.order.length < 2) return -1;
    return this.chunks[oldest]!.latestMs < beforeMs ? oldest : -1;
  }

  /** Gives the oldest chunk's slots back. The caller has unlinked every leg in it. */
  release(): void {
    const index = this.order.shift();
    if (index === undefined) return;
    this.legs -= this.chunks[index]!.used;
    this.spare.push(index);
  }

  bytesUsed(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.numbers.byteLength + chunk.idBytes.length, 0);
  }

  private nextChunk(): number {
    const index = this.spare.pop() ?? this.chunks.push(new LegChunk()) - 1;
    const chunk = this.chunks[index]!;
    chunk.used = 0;
    chunk.idEnd = 0;
    chunk.arrival = this.arrivals;
    chunk.latestMs = -Infinity;
    this.order.push(index);
    return index;
  }
}

const idDecoder = new TextDecoder();
