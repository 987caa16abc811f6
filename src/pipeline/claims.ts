import { dayNumber } from '../domain/bank-day.js';
import { partitionOf } from '../domain/partition.js';
import type { State, StateEntry } from '../ports/state.js';

/**
 * Who said which transaction first. A claim is written before the transaction goes to the log and stays for as long as a bank
 * may send it again. It belongs to an attempt (one accepted body); while the attempt's marker stands beside it, nobody can
 * know whether the transaction reached the log. Marker and claims share a slot and are written in one commit, so taking
 * the marker away afterwards is one deletion for a slot, whatever the number of transactions.
 */
export interface Claims {
  /** Claims all transactions of one attempt; each answer stands at its question's place. */
  claim(attempt: string, wanted: readonly Claim[]): Promise<readonly ClaimAnswer[]>;
  /** To be called once the attempt's transactions are durable on the log. Failing to do so costs repetitions, never a transaction. */
  finish(attempt: string): Promise<void>;
  /** To be called when the append failed: the transactions may or may not be on the log. */
  abandon(attempt: string): void;
  /** Removes claims and markers that came in before `beforeDay`; looks at no more than `entriesMax` entries. */
  sweep(beforeDay: number, entriesMax: number): Promise<number>;
}

export interface Claim {
  readonly identity: string;
  /** Hash of what the record says, see `content-hash.ts`. */
  readonly contentLow: number;
  readonly contentHigh: number;
}

export type ClaimAnswer =
  | { readonly kind: 'new' }
  /** Claimed before with the same content, by an attempt of which nobody knows how it ended. */
  | { readonly kind: 'again' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'conflict'; readonly earlierContent: string; readonly earlierDay: number };

/** The store kept changing under us; nothing was accepted. */
class ClaimsContended extends Error {
  readonly retriable = true;
  constructor(slot: string) {
    super(`${slot}: other intakes keep claiming the same transactions; send the body again`);
    this.name = 'ClaimsContended';
  }
}

export interface ClaimsOptions {
  readonly state: State;
  /** Never change it on a store in use: claims would no longer be found. */
  readonly slots: number;
  readonly now: () => number;
}

const triesMax = 8;
/** Keys of one question to the store. */
const keysMax = 10_000;
const claimKey = (identity: string) => `c/${identity}`;
const markerKey = (attempt: string) => `p/${attempt}`;

export function createClaims({ state, slots, now }: ClaimsOptions): Claims {
  /** Slots that hold a marker of an attempt of this process. */
  const markers = new Map<string, string[]>();
  /** On the log, but its markers are not gone yet. */
  const finished = new Set<string>();
  let sweepSlot = 0;
  let sweepAfter: string | undefined;

  async function claim(attempt: string, wanted: readonly Claim[]): Promise<ClaimAnswer[]> {
    const answers: ClaimAnswer[] = Array.from({ length: wanted.length }, () => isNew);
    const bySlot = groupBySlot(wanted);
    markers.set(attempt, []);
    await Promise.all([...bySlot].map(([slot, places]) => claimSlot(slot, attempt, wanted, places, answers)));
    return answers;
  }

  function groupBySlot(wanted: readonly Claim[]): Map<string, number[]> {
    const bySlot: number[][] = Array.from({ length: slots }, () => []);
    for (let i = 0; i < wanted.length; i++) bySlot[partitionOf(wanted[i]!.identity, slots)]!.push(i);
    return new Map(bySlot.flatMap((places, slot) => (places.length > 0 ? [[slotName(slot), places] as const] : [])));
  }

  async function claimSlot(
    slot: string,
    attempt: string,
    wanted: readonly Claim[],
    places: readonly number[],
    answers: ClaimAnswer[],
  ): Promise<void> {
    for (let at = 0; at < places.length; at += keysMax) {
      await claimSome(slot, attempt, wanted, places.slice(at, at + keysMax), answers);
    }
  }

  /** Nearly always all are new, so that is tried first and the store is asked only where it is not so. */
  async function claimSome(
    slot: string,
    attempt: string,
    wanted: readonly Claim[],
    places: readonly number[],
    answers: ClaimAnswer[],
  ): Promise<void> {
    const values = encodeClaims(wanted, places, attempt, dayNumber(now()));
    let stored: readonly (Uint8Array | null)[] = places.map(() => null);
    for (let tries = 0; tries < triesMax; tries++) {
      const expect = [];
      const put: StateEntry[] = [];
      for (let i = 0; i < places.length; i++) {
        const kind = answers[places[i]!]!.kind;
        if (kind !== 'new' && kind !== 'again') continue;
        const key = claimKey(wanted[places[i]!]!.identity);
        expect.push({ key, value: stored[i] ?? null });
        put.push({ key, value: values[i]! });
      }
      if (put.length === 0) return;
      put.push({ key: markerKey(attempt), value: encodeDay(dayNumber(now())) });
      if ((await state.commit(slot, { expect, put })) === 'committed') {
        markers.get(attempt)?.push(slot);
        return;
      }
      stored = await state.get(
        slot,
        places.map((place) => claimKey(wanted[place]!.identity)),
      );
      await answer(slot, wanted, places, stored, answers);
    }
    throw new ClaimsContended(slot);
  }

  async function answer(
    slot: string,
    wanted: readonly Claim[],
    places: readonly number[],
    stored: readonly (Uint8Array | null)[],
    answers: ClaimAnswer[],
  ): Promise<void> {
    const known = stored.map((value) => value && decodeClaim(value));
    const attempts = [...new Set(known.flatMap((claim) => (claim && !finished.has(claim.attempt) ? [claim.attempt] : [])))];
    const standing = await state.get(slot, attempts.map(markerKey));
    const pending = new Set(attempts.filter((_, i) => standing[i] !== null));
    for (let i = 0; i < places.length; i++) {
      const claim = known[i];
      const { contentLow, contentHigh } = wanted[places[i]!]!;
      answers[places[i]!] = !claim
        ? isNew
        : claim.contentLow !== contentLow || claim.contentHigh !== contentHigh
          ? { kind: 'conflict', earlierContent: formatContent(claim), earlierDay: claim.day }
          : pending.has(claim.attempt)
            ? isAgain
            : isDuplicate;
    }
  }

  async function finish(attempt: string): Promise<void> {
    const held = markers.get(attempt) ?? [];
    finished.add(attempt);
    markers.delete(attempt);
    try {
      await Promise.all(held.map((slot) => state.commit(slot, { delete: [markerKey(attempt)] })));
    } finally {
      finished.delete(attempt);
    }
  }

  async function sweep(beforeDay: number, entriesMax: number): Promise<number> {
    const slot = slotName(sweepSlot);
    const entries = await state.scan(slot, {
      prefix: '',
      ...(sweepAfter === undefined ? {} : { after: sweepAfter }),
      limit: entriesMax,
    });
    const old = entries.filter(
      ({ key, value }) => (key.startsWith('c/') ? decodeClaim(value).day : decodeDay(value)) < beforeDay,
    );
    if (old.length > 0) {
      // A claim taken over in the meantime is a young one: it makes the commit fail and stays.
      await state.commit(slot, { expect: old, delete: old.map(({ key }) => key) });
    }
    sweepAfter = entries.length < entriesMax ? undefined : entries.at(-1)?.key;
    if (sweepAfter === undefined) sweepSlot = (sweepSlot + 1) % slots;
    return old.length;
  }

  return { claim, finish, abandon: (attempt) => void markers.delete(attempt), sweep };
}

const isNew: ClaimAnswer = { kind: 'new' };
const isAgain: ClaimAnswer = { kind: 'again' };
const isDuplicate: ClaimAnswer = { kind: 'duplicate' };

function slotName(slot: number): string {
  return `ids/${String(slot).padStart(2, '0')}`;
}

/** A content hash as people can compare it. */
export function formatContent({ contentLow, contentHigh }: Pick<Claim, 'contentLow' | 'contentHigh'>): string {
  return `${(contentHigh >>> 0).toString(16).padStart(8, '0')}${(contentLow >>> 0).toString(16).padStart(8, '0')}`;
}

/** `contentLow i32 · contentHigh i32 · day u32 · attempt`, little-endian. */
function encodeClaims(wanted: readonly Claim[], places: readonly number[], attempt: string, day: number): Uint8Array[] {
  const size = 12 + attempt.length;
  const arena = Buffer.allocUnsafe(size * places.length);
  return places.map((place, i) => {
    const claim = wanted[place]!;
    const at = i * size;
    arena.writeInt32LE(claim.contentLow, at);
    arena.writeInt32LE(claim.contentHigh, at + 4);
    arena.writeUInt32LE(day, at + 8);
    arena.write(attempt, at + 12, 'latin1');
    return arena.subarray(at, at + size);
  });
}

function decodeClaim(value: Uint8Array): { contentLow: number; contentHigh: number; day: number; attempt: string } {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return {
    contentLow: bytes.readInt32LE(0),
    contentHigh: bytes.readInt32LE(4),
    day: bytes.readUInt32LE(8),
    attempt: bytes.toString('latin1', 12),
  };
}

function encodeDay(day: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(day);
  return bytes;
}

function decodeDay(value: Uint8Array): number {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).readUInt32LE(0);
}
