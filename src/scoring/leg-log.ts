import { widerLength } from './growth.js';
import { kept, keptTables, snapshotted } from './snapshot-state.js';
import type { TransactionView } from './transaction-view.js';

/**
 * The legs of one partition, append-only. A leg is named by its slot. Slots are given out in blocks; blocks whose legs
 * nobody needs any more are used again, so slots are not in time order.
 *
 * A leg is 64 bytes in one place, so that looking at it costs one cache line: two doubles and twelve words over one buffer.
 */
const blockBits = 13;
export const blockLegs = 1 << blockBits;

/** Places in `numbers`, `numberWidth` to a leg. */
export const legNumber = { timeMs: 0, amountFen: 1 } as const;
export const numberWidth = 8;

/** Places in `words`, `wordWidth` to a leg. `region`: of the counterparty, six digits, 0 unknown. */
export const legWord = {
  subject: 4,
  pair: 5,
  /** Bits of the base streams that the leg belongs to, and marks of named ones (see `Plan.mark`). */
  streams: 6,
  /** Neighbours of the same subject, of the same pair and among the like amounts, each in time order; -1 at the ends. */
  previous: 7,
  next: 8,
  previousOfPair: 9,
  region: 10,
  /** Where its transaction's id lies in the ids of its block. */
  idStart: 11,
  nextOfPair: 12,
  previousOfAmount: 13,
  nextOfAmount: 14,
  /** Its entry among the like amounts (see `like-amounts.ts`), -1 for none. */
  amountEntry: 15,
} as const;
export const wordWidth = 16;

/** Before an id stand its length and the hash of the bank that reports it. */
const idHeadBytes = 5;

interface Block {
  used: number;
  latestMs: number;
  ids: Buffer;
  idsEnd: number;
}

export class LegLog {
  numbers = new Float64Array(blockLegs * numberWidth);
  words = new Int32Array(this.numbers.buffer);
  private blocks: Block[] = [];
  /** Blocks in arrival order, oldest first; the last one is being filled. */
  private order: number[] = [];
  private spare: number[] = [];
  private filling = -1;
  /** Where the id of the transaction in hand lies, -1 until its first leg is added: all of its legs in a block share it. */
  private idStart = -1;
  legs = 0;

  readonly snapshot = snapshotted(
    () => ({
      numbers: kept(this.numbers, this.blocks.length * blockLegs * numberWidth),
      blocks: this.blocks.map(({ used, latestMs, idsEnd }) => ({ used, latestMs, idsEnd })),
      ids: keptTables(this.blocks.map(({ ids, idsEnd }) => kept(new Uint8Array(ids.buffer, ids.byteOffset, ids.length), idsEnd))),
      order: kept(Int32Array.from(this.order)),
      spare: kept(Int32Array.from(this.spare)),
      filling: this.filling,
      legs: this.legs,
    }),
    ({ numbers, blocks, ids, order, spare, filling, legs }) => {
      this.numbers = numbers;
      this.words = new Int32Array(numbers.buffer);
      this.blocks = blocks.map((block, i) => {
        const { buffer, byteOffset, length } = ids[i]!;
        return { ...block, ids: Buffer.from(buffer, byteOffset, length) };
      });
      this.order = [...order];
      this.spare = [...spare];
      this.filling = filling;
      this.legs = legs;
    },
  );

  /** Says that the legs to come belong to another transaction. */
  begin(): void {
    this.idStart = -1;
  }

  /** A slot for one more leg of the viewed transaction; the caller fills all but the id. */
  add(timeMs: number, view: TransactionView): number {
    let block = this.filling < 0 ? undefined : this.blocks[this.filling];
    if (!block || block.used === blockLegs) block = this.nextBlock();
    const slot = this.filling * blockLegs + block.used++;
    if (this.idStart < 0) this.keepId(block, view);
    this.words[slot * wordWidth + legWord.idStart] = this.idStart;
    if (timeMs > block.latestMs) block.latestMs = timeMs;
    this.legs++;
    return slot;
  }

  timeMs(slot: number): number {
    return this.numbers[slot * numberWidth + legNumber.timeMs]!;
  }

  amountFen(slot: number): number {
    return this.numbers[slot * numberWidth + legNumber.amountFen]!;
  }

  word(slot: number, place: number): number {
    return this.words[slot * wordWidth + place]!;
  }

  setWord(slot: number, place: number, value: number): void {
    this.words[slot * wordWidth + place] = value;
  }

  /** The leg belongs to these streams as well. */
  addStreams(slot: number, bits: number): void {
    this.words[slot * wordWidth + legWord.streams]! |= bits;
  }

  transactionId(slot: number): string {
    const { ids } = this.blocks[slot >>> blockBits]!;
    const from = this.word(slot, legWord.idStart);
    return ids.toString('latin1', from + idHeadBytes, from + idHeadBytes + ids[from]!);
  }

  /** Whether the leg is of this very transaction: of the same id, which is the number of the bank that reports it. */
  isOf(slot: number, view: TransactionView): boolean {
    const { bytes, idStart, idEnd } = view;
    const { ids } = this.blocks[slot >>> blockBits]!;
    const from = this.word(slot, legWord.idStart);
    if (ids[from] !== idEnd - idStart || ids.readInt32LE(from + 1) !== view.reporterHash) return false;
    for (let i = idStart, j = from + idHeadBytes; i < idEnd; i++, j++) if (ids[j] !== bytes[i]) return false;
    return true;
  }

  /** Calls `unlink` with every slot of the blocks whose legs all lie before `beforeMs`, and then gives the blocks back. */
  sweep(beforeMs: number, unlink: (slot: number) => void): void {
    while (this.order.length > 1) {
      const index = this.order[0]!;
      const block = this.blocks[index]!;
      if (block.latestMs >= beforeMs) return;
      for (let at = 0; at < block.used; at++) unlink(index * blockLegs + at);
      this.legs -= block.used;
      this.order.shift();
      this.spare.push(index);
    }
  }

  bytesUsed(): number {
    return this.blocks.reduce((sum, { ids }) => sum + ids.length, this.numbers.byteLength);
  }

  private keepId(block: Block, view: TransactionView): void {
    const { bytes, idStart, idEnd } = view;
    const to = block.idsEnd + idEnd - idStart + idHeadBytes;
    if (to > block.ids.length) {
      const wider = Buffer.alloc(Math.max(to, block.ids.length * 2));
      wider.set(block.ids);
      block.ids = wider;
    }
    const { ids } = block;
    ids[block.idsEnd] = idEnd - idStart;
    ids.writeInt32LE(view.reporterHash, block.idsEnd + 1);
    for (let i = idStart, j = block.idsEnd + idHeadBytes; i < idEnd; i++, j++) ids[j] = bytes[i]!;
    this.idStart = block.idsEnd;
    block.idsEnd = to;
  }

  private nextBlock(): Block {
    this.idStart = -1;
    let index = this.spare.pop();
    if (index === undefined) {
      index = this.blocks.push({ used: 0, latestMs: -Infinity, ids: Buffer.alloc(blockLegs * 16), idsEnd: 0 }) - 1;
      if (this.blocks.length * blockLegs * numberWidth > this.numbers.length) this.widen();
    }
    const block = this.blocks[index]!;
    block.used = 0;
    block.idsEnd = 0;
    block.latestMs = -Infinity;
    this.filling = index;
    this.order.push(index);
    return block;
  }

  private widen(): void {
    const wider = new Float64Array(widerLength(this.numbers.length));
    wider.set(this.numbers);
    this.numbers = wider;
    this.words = new Int32Array(wider.buffer);
  }
}
