/**
 * The legs of one partition, append-only, in typed arrays. A leg is named by its slot. Chunks whose legs nobody needs
 * any more are used again, so slots are not in time order; `arrival` is.
 */
export const chunkBits = 13;
export const chunkLegs = 1 << chunkBits;
const chunkMask = chunkLegs - 1;

export class LegChunk {
  readonly timeMs = new Float64Array(chunkLegs);
  readonly amountFen = new Float64Array(chunkLegs);
  readonly subject = new Int32Array(chunkLegs);
  readonly pair = new Int32Array(chunkLegs);
  /** One bit per stream that the leg belongs to. */
  readonly streams = new Int32Array(chunkLegs);
  /** Neighbours of the same subject in time order, and the pair's leg that arrived before; -1 at the ends. */
  readonly previous = new Int32Array(chunkLegs);
  readonly next = new Int32Array(chunkLegs);
  readonly previousOfPair = new Int32Array(chunkLegs);
  /** Province of the counterparty, 0 unknown. */
  readonly province = new Uint8Array(chunkLegs);
  readonly idStart = new Uint32Array(chunkLegs + 1);
  idBytes = new Uint8Array(chunkLegs * 24);
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

  /** A slot for one more leg, with its transaction id; the caller fills the columns. */
  add(timeMs: number, idSource: Uint8Array, idStart: number, idEnd: number): number {
    let chunk = this.filling < 0 ? undefined : this.chunks[this.filling];
    if (!chunk || chunk.used === chunkLegs) {
      this.filling = this.nextChunk();
      chunk = this.chunks[this.filling]!;
    }
    const at = chunk.used++;
    const from = chunk.idStart[at]!;
    const to = from + idEnd - idStart;
    if (to > chunk.idBytes.length) {
      const wider = new Uint8Array(Math.max(to, chunk.idBytes.length * 2));
      wider.set(chunk.idBytes);
      chunk.idBytes = wider;
    }
    for (let i = idStart, j = from; i < idEnd; i++, j++) chunk.idBytes[j] = idSource[i]!;
    chunk.idStart[at + 1] = to;
    if (timeMs > chunk.latestMs) chunk.latestMs = timeMs;
    this.arrivals++;
    this.legs++;
    return (this.filling << chunkBits) | at;
  }

  arrival(slot: number): number {
    return this.chunks[slot >>> chunkBits]!.arrival + (slot & chunkMask);
  }

  timeMs(slot: number): number {
    return this.chunks[slot >>> chunkBits]!.timeMs[slot & chunkMask]!;
  }

  /** The leg before in the subject's time order, -1 at the end. */
  previous(slot: number): number {
    return this.chunks[slot >>> chunkBits]!.previous[slot & chunkMask]!;
  }

  streams(slot: number): number {
    return this.chunks[slot >>> chunkBits]!.streams[slot & chunkMask]!;
  }

  transactionId(slot: number): string {
    const chunk = this.chunks[slot >>> chunkBits]!;
    const at = slot & chunkMask;
    return idDecoder.decode(chunk.idBytes.subarray(chunk.idStart[at], chunk.idStart[at + 1]));
  }

  hasTransactionId(slot: number, bytes: Uint8Array, start: number, end: number): boolean {
    const chunk = this.chunks[slot >>> chunkBits]!;
    const from = chunk.idStart[slot & chunkMask]!;
    if (chunk.idStart[(slot & chunkMask) + 1]! - from !== end - start) return false;
    for (let i = start, j = from; i < end; i++, j++) if (chunk.idBytes[j] !== bytes[i]) return false;
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
    return this.chunks.reduce((sum, chunk) => sum + chunkLegs * (8 + 8 + 4 * 7 + 1) + chunk.idBytes.length, 0);
  }

  private nextChunk(): number {
    const index = this.spare.pop() ?? this.chunks.push(new LegChunk()) - 1;
    const chunk = this.chunks[index]!;
    chunk.used = 0;
    chunk.arrival = this.arrivals;
    chunk.latestMs = -Infinity;
    this.order.push(index);
    return index;
  }
}

const idDecoder = new TextDecoder();
