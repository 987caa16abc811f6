import { z } from 'zod';
import { dayNumber } from '../domain/bank-day.js';
import type { CommitResult, SlotCommit, State, StateEntry } from '../ports/state.js';
import { decodeJson, encodeJson } from './checkpoint.js';
import { decodeBlock, encodeBlock, readHeader, wordsPerClaim, type ClaimBlock } from './claim-block.js';
import { createClaimIndex, type ClaimIndex } from './claim-index.js';

/** How a commit ended; after a fault nobody knows. */
export type Ending = CommitResult | 'unknown';

/**
 * One slot of claims: blocks in the state store that are only ever added to, and all of them in memory. Each commit names the
 * one before it and is refused where another intake has added a block, so that nobody claims anything without knowing all
 * that was claimed before: `h` the head of that chain · `b/<sequence>` blocks · `p/<attempt>` attempts of which nobody knows
 * yet whether they reached the log.
 */
export interface ClaimSlot {
  /** Holds all that the store is known to hold, while `isReady`. */
  readonly index: ClaimIndex;
  isReady(): boolean;
  ready(): Promise<void>;
  /** Claims that came in after this instant are all known; older ones may have been forgotten or removed. */
  forgottenMs(): number;
  /** A number for an attempt, to be kept in the index. */
  numberOf(attempt: string): number;
  /** The attempt of a number; undefined once it is known to be finished. */
  attemptOf(number: number): string | undefined;
  /** Of these attempts, those whose markers stand; the others are finished. */
  pending(attempts: readonly string[]): Promise<string[]>;
  /** To be called in the same turn as the look into the index. What it throws leaves open whether the block was written. */
  add(block: ClaimBlock): Promise<CommitResult>;
  /** Changes whenever the store was read again: what was seen in the index before does not count any more. */
  chain(): number;
  /**
   * The same addition, without a marker, for a commit that brings the attempt's transactions to the log as well: whoever calls it
   * makes that commit in the same turn, and says how it ended; a fault leaves that open.
   */
  stage(block: ClaimBlock): { readonly commit: SlotCommit; readonly settle: (result: Ending) => void };
  /** Takes the attempt's marker away. */
  finish(attempt: string): Promise<void>;
  /** What is in memory may be wrong: everything is read again before the next use. */
  distrust(): void;
  /** Removes blocks and markers that came in before the day or are not held any more; bounded work. Resolves with how many claims went. */
  sweep(id: string, beforeDay: number): Promise<number>;
}

const headKey = 'h';
const blockPrefix = 'b/';
const blockKey = (sequence: number) => `${blockPrefix}${String(sequence).padStart(15, '0')}`;
const sequenceIn = (key: string): number => Number(key.slice(blockPrefix.length));
const markerPrefix = 'p/';
const markerKey = (attempt: string) => `${markerPrefix}${attempt}`;
const headSchema = z.object({ id: z.string(), sequence: z.int().min(0), forgottenMs: z.number().nullable() });
type Head = z.infer<typeof headSchema>;
const firstHead: Head = { id: '', sequence: 0, forgottenMs: null };

/** Blocks read, or removed, at once; and how often in one sweep. */
const pageBlocks = 32;
const sweepPagesMax = 64;
/** Attempts of others that are remembered as open before their markers are looked at. */
const strangersMost = 1_000;

export function createClaimSlot(state: State, name: string, claimsMax: number): ClaimSlot {
  let index = createClaimIndex(claimsMax);
  let head: Head = firstHead;
  /** What the store holds under `h` once the commits under way have gone through. */
  let stored: Uint8Array | null = null;
  /** The last block that was read. */
  let readUpTo: { readonly key: string; readonly attempt: string } | undefined;
  let reading: Promise<void> | null = null;
  let isTrusted = false;
  /** What is held may be more than the store has. */
  let isDoubted = false;
  /** Changes whenever the chain was read from the store: commits issued before belong to a chain that is given up. */
  let chain = 0;
  let lastNumber = 0;
  let numbers = new Map<string, number>();
  let attempts = new Map<number, string>();
  /** Numbers of the blocks of attempts that may be open still. */
  let blocks = new Map<string, number>();
  /** Attempts that were read from the store and may be open still. */
  const strangers = new Set<string>();

  function ready(): Promise<void> {
    if (isTrusted) return Promise.resolve();
    reading ??= read().finally(() => {
      reading = null;
    });
    return reading;
  }

  async function read(): Promise<void> {
    do {
      if (isDoubted) forgetAll();
      isDoubted = false;
      await catchUp();
    } while (isDoubted);
    isTrusted = true;
  }

  function forgetAll(): void {
    index = createClaimIndex(claimsMax);
    [numbers, attempts, blocks, readUpTo] = [new Map(), new Map(), new Map(), undefined];
    strangers.clear();
  }

  /** Takes in what was added since the last look, by whomever. */
  async function catchUp(): Promise<void> {
    chain++;
    // The head first: blocks that come after it make the next commit fail, and are read then.
    const [value = null, lastRead = null] = await state.get(name, [headKey, ...(readUpTo ? [readUpTo.key] : [])]);
    const latest = value ? headSchema.parse(decodeJson(value)) : firstHead;
    // A store that has lost its last commits gives their numbers to other blocks: all of them are read again.
    const isLost = readUpTo && readUpTo.key > blockKey(latest.sequence);
    const isOther = readUpTo && lastRead && readHeader(lastRead).attempt !== readUpTo.attempt;
    if (isLost || isOther) readUpTo = undefined;
    for (;;) {
      const after = readUpTo === undefined ? {} : { after: readUpTo.key };
      const entries = await state.scan(name, { prefix: blockPrefix, ...after, limit: pageBlocks });
      const found = entries.map((entry) => decodeBlock(entry.value));
      for (const [i, block] of found.entries()) takeIn(block, sequenceIn(entries[i]!.key));
      // A block and its marker were written together: where the marker is gone by now, the attempt is finished.
      const read = [...new Set(found.map(({ attempt }) => attempt))];
      for (const attempt of await withoutMarker(read)) close(attempt);
      const last = entries.at(-1);
      if (last) readUpTo = { key: last.key, attempt: found.at(-1)!.attempt };
      if (entries.length < pageBlocks) break;
    }
    if (strangers.size > strangersMost) await pending([...strangers]);
    [head, stored] = [latest, value];
  }

  function takeIn({ attempt, receivedAtMs, count, words }: ClaimBlock, sequence: number): void {
    const number = numberOf(attempt);
    blocks.set(attempt, sequence);
    strangers.add(attempt);
    for (let at = 0; at < count * wordsPerClaim; at += wordsPerClaim) {
      index.set(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, number, receivedAtMs);
    }
  }

  function numberOf(attempt: string): number {
    const known = numbers.get(attempt);
    if (known !== undefined) return known;
    numbers.set(attempt, ++lastNumber);
    attempts.set(lastNumber, attempt);
    return lastNumber;
  }

  function close(attempt: string): void {
    strangers.delete(attempt);
    blocks.delete(attempt);
    const number = numbers.get(attempt);
    if (number === undefined) return;
    numbers.delete(attempt);
    attempts.delete(number);
  }

  async function pending(asked: readonly string[]): Promise<string[]> {
    const unmarked = await withoutMarker(asked);
    const lost = await lostOf(unmarked);
    for (const attempt of unmarked) if (!lost.has(attempt)) close(attempt);
    const finished = new Set(unmarked.filter((attempt) => !lost.has(attempt)));
    return asked.filter((attempt) => !finished.has(attempt));
  }

  async function withoutMarker(asked: readonly string[]): Promise<string[]> {
    const standing = await state.get(name, asked.map(markerKey));
    return asked.filter((_, i) => standing[i] === null);
  }

  /**
   * Of these attempts, those whose blocks the store has lost together with their markers, as one does that was promoted before it
   * had them: nobody knows how they ended. A block that a sweep removed has a head above it.
   */
  async function lostOf(unmarked: readonly string[]): Promise<Set<string>> {
    const known = unmarked.flatMap((attempt) => {
      const sequence = blocks.get(attempt);
      return sequence === undefined ? [] : [{ attempt, sequence }];
    });
    const lost = new Set<string>();
    if (known.length === 0) return lost;
    const [latest = null, ...found] = await state.get(name, [headKey, ...known.map(({ sequence }) => blockKey(sequence))]);
    const { sequence: last } = latest ? headSchema.parse(decodeJson(latest)) : firstHead;
    for (const [i, { attempt, sequence }] of known.entries()) {
      const block = found[i];
      const isOther = block !== null && block !== undefined && readHeader(block).attempt !== attempt;
      if (sequence > last || isOther) lost.add(attempt);
    }
    return lost;
  }

  async function commit(next: Head, put: readonly StateEntry[], removed: readonly string[]): Promise<CommitResult> {
    const { change, settle } = stage(next, put, removed);
    try {
      const result = await state.commit(name, change);
      settle(result);
      return result;
    } catch (fault) {
      settle('unknown');
      throw fault;
    }
  }

  /** The next link, to be committed in this turn. Whoever comes next builds on it already; where it is refused, so are they. */
  function stage(next: Head, put: readonly StateEntry[], removed: readonly string[]) {
    const [expected, value, mine] = [stored, encodeJson(next), chain];
    [head, stored] = [next, value];
    return {
      change: { expect: [{ key: headKey, value: expected }], put: [{ key: headKey, value }, ...put], delete: removed },
      settle: (result: Ending): void => {
        if (result === 'unknown') distrust();
        else if (result === 'conflict' && mine === chain) isTrusted = false;
      },
    };
  }

  function linkOf(block: ClaimBlock): { next: Head; entry: StateEntry } {
    const sequence = head.sequence + 1;
    blocks.set(block.attempt, sequence);
    return { next: { ...head, id: block.attempt, sequence }, entry: { key: blockKey(sequence), value: encodeBlock(block) } };
  }

  function distrust(): void {
    isTrusted = false;
    isDoubted = true;
  }

  const forgottenMs = (): number => Math.max(index.forgottenMs, head.forgottenMs ?? -Infinity);

  return {
    get index() {
      return index;
    },
    isReady: () => isTrusted,
    ready,
    forgottenMs,
    numberOf,
    attemptOf: (number) => attempts.get(number),
    pending,
    add(block) {
      const { next, entry } = linkOf(block);
      const marker = { key: markerKey(block.attempt), value: encodeJson(dayNumber(block.receivedAtMs)) };
      return commit(next, [entry, marker], []);
    },
    chain: () => chain,
    stage(block) {
      const { next, entry } = linkOf(block);
      const { change, settle } = stage(next, [entry], []);
      return {
        commit: { slot: name, change },
        settle: (result: Ending) => {
          settle(result);
          if (result === 'committed') close(block.attempt);
        },
      };
    },
    async finish(attempt) {
      await state.commit(name, { delete: [markerKey(attempt)] });
      close(attempt);
    },
    distrust,
    async sweep(id, beforeDay) {
      const isOld = (day: number) => day < beforeDay;
      let removed = 0;
      for (let page = 0; page < sweepPagesMax; page++) {
        const [blocks, markers] = await Promise.all([
          state.scan(name, { prefix: blockPrefix, limit: pageBlocks }),
          state.scan(name, { prefix: markerPrefix, limit: pageBlocks }),
        ]);
        const headers = blocks.map(({ key, value }) => ({ key, ...readHeader(value) }));
        await ready();
        const old = headers.filter(({ receivedAtMs }) => isOld(dayNumber(receivedAtMs)) || receivedAtMs <= index.forgottenMs);
        const oldMarkers = markers.filter(({ value }) => isOld(z.int().parse(decodeJson(value))));
        if (old.length + oldMarkers.length === 0) break;
        const gone = Math.max(forgottenMs(), ...old.map(({ receivedAtMs }) => receivedAtMs));
        const next = { ...head, id: `${id}/${page}`, forgottenMs: Number.isFinite(gone) ? gone : null };
        if (
          (await commit(
            next,
            [],
            [...old, ...oldMarkers].map(({ key }) => key),
          )) === 'conflict'
        )
          break;
        removed += old.reduce((sum, { count }) => sum + count, 0);
        if (old.length < pageBlocks) break;
      }
      return removed;
    },
  };
}
