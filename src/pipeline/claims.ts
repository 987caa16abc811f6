import { createHash } from 'node:crypto';
import type { OutgoingRecord } from '../ports/log.js';
import type { State, Together } from '../ports/state.js';
import { wordsPerClaim } from './claim-block.js';
import { createClaimSlot, type ClaimSlot, type Ending } from './claim-slot.js';
import type { HashKey } from './keyed-hash.js';

/**
 * Who said which transaction first. A claim is written before the transaction goes to the log and stays for as long as a bank
 * may send it again. It belongs to an attempt (one accepted body); while the attempt's marker stands beside it, nobody can
 * know whether the transaction reached the log. Marker and claims share a slot and are written in one commit, so taking
 * the marker away afterwards is one deletion for a slot, whatever the number of transactions.
 *
 * Claims are held in memory, read from the store at the first use. What is older than the days kept, or than the `claimsMax`
 * youngest claims, is not known any more: a transaction that may be that old is answered `again`, and the scorer looks.
 */
export interface Claims {
  /** Key of the identities' hashes, one for the store and for ever. */
  hashKey(): Promise<HashKey>;
  /**
   * Claims all transactions of one attempt; each answer stands at its question's place. Waits for attempts in hand that claim
   * one of them. Whatever becomes of it, `finish` or `abandon` must follow.
   */
  claim(attempt: string, wanted: readonly Claim[], receivedAtMs: number): Promise<readonly ClaimAnswer[]>;
  /**
   * The same where state and log lie in one store: claims and records become durable in one commit, so nobody ever has to ask how
   * the attempt ended, and neither `finish` nor `abandon` follows. `recordsOf` may be called again, with other answers, where
   * another intake came in between. What it throws has written nothing, or nobody knows. Null on two stores.
   */
  readonly record:
    | ((
        attempt: string,
        wanted: readonly Claim[],
        receivedAtMs: number,
        recordsOf: (answers: readonly ClaimAnswer[]) => Promise<readonly OutgoingRecord[]>,
      ) => Promise<void>)
    | null;
  /** To be called once the attempt's transactions are durable on the log. Failing to do so costs repetitions, never a transaction. */
  finish(attempt: string): Promise<void>;
  /** To be called when the claim or the append failed: the transactions may or may not be on the log. */
  abandon(attempt: string): void;
  /** Removes claims and markers that came in before `beforeDay`; bounded work. Resolves with how many claims went. */
  sweep(beforeDay: number): Promise<number>;
}

export interface Claim {
  /** 64 bits of hash of who reports it and under which number. */
  readonly identityLow: number;
  readonly identityHigh: number;
  /** Hash of what the record says, see `content-hash.ts`. */
  readonly contentLow: number;
  readonly contentHigh: number;
  readonly timeMs: number;
}

export type ClaimAnswer =
  | { readonly kind: 'new' }
  /** Perhaps on the log already: claimed by an attempt of which nobody knows how it ended, or older than what is known. */
  | { readonly kind: 'again' }
  | { readonly kind: 'duplicate' }
  /** `earlierDay` is absent where the earlier one stands in the same attempt. */
  | { readonly kind: 'conflict'; readonly earlierContent: string; readonly earlierDay: number | undefined };

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
  /** Claims held in memory, over all slots; about 40 bytes each. */
  readonly claimsMax: number;
  /** How far in the future a transaction that is taken may lie. */
  readonly futureMsMax: number;
  readonly newId: () => string;
}

const triesMax = 8;

/** The part of an attempt that falls to one slot. */
interface Share {
  readonly slot: ClaimSlot;
  readonly name: string;
  readonly places: readonly number[];
  /** Attempts whose markers were seen standing during this claim. */
  readonly open: Set<string>;
  isWritten: boolean;
}

interface InHand {
  readonly shares: Share[];
  readonly done: Promise<void>;
  readonly release: () => void;
}

export function createClaims({ state, slots: slotCount, claimsMax, futureMsMax, newId }: ClaimsOptions): Claims {
  const slots = Array.from({ length: slotCount }, (_, number) =>
    createClaimSlot(state, slotName(number), Math.ceil(claimsMax / slotCount)),
  );
  const inHand = new Map<string, InHand>();
  /** On the log, but their markers are not gone yet. */
  const finished = new Set<string>();

  async function claim(attempt: string, wanted: readonly Claim[], receivedAtMs: number): Promise<ClaimAnswer[]> {
    const answers: ClaimAnswer[] = Array.from({ length: wanted.length }, () => isNew);
    const shares = share(wanted);
    const mine = { shares, ...deferred() };
    inHand.set(attempt, mine);
    for (let wait = obstacle(attempt, shares, wanted); wait; wait = obstacle(attempt, shares, wanted)) await wait;
    // In one turn: nobody claims one of them between the last look and the commits.
    const written = await Promise.allSettled(shares.map((one) => write(attempt, one, wanted, answers, receivedAtMs)));
    const failed = written.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    return answers;
  }

  async function record(
    together: Together,
    attempt: string,
    wanted: readonly Claim[],
    receivedAtMs: number,
    recordsOf: (answers: readonly ClaimAnswer[]) => Promise<readonly OutgoingRecord[]>,
  ): Promise<void> {
    const shares = share(wanted);
    inHand.set(attempt, { shares, ...deferred() });
    try {
      for (let tries = 0; tries < triesMax; tries++) {
        for (let wait = obstacle(attempt, shares, wanted); wait; wait = obstacle(attempt, shares, wanted)) await wait;
        const answers: ClaimAnswer[] = Array.from({ length: wanted.length }, () => isNew);
        const taken = shares.map((one) => ({
          slot: one.slot,
          chain: one.slot.chain(),
          ...takeAll(attempt, one, wanted, answers, receivedAtMs, false),
        }));
        const records = await recordsOf(answers);
        const additions = taken.filter(({ places }) => places.length > 0);
        const isCurrent = additions.every(({ slot, chain }) => slot.isReady() && slot.chain() === chain);
        if (isCurrent && (await commitWith(together, additions, attempt, receivedAtMs, records))) return;
        for (const { slot } of shares) slot.distrust();
      }
      throw new ClaimsContended(shares.map(({ name }) => name).join(', '));
    } catch (fault) {
      // What was noted in memory did not become a claim, or nobody knows.
      for (const { slot } of shares) slot.distrust();
      throw fault;
    } finally {
      letGo(attempt);
    }
  }

  /** False where another intake has written to one of the slots. */
  async function commitWith(
    together: Together,
    additions: readonly { slot: ClaimSlot; places: readonly number[]; words: Int32Array }[],
    attempt: string,
    receivedAtMs: number,
    records: readonly OutgoingRecord[],
  ): Promise<boolean> {
    const staged = additions.map(({ slot, places, words }) => slot.stage({ attempt, receivedAtMs, count: places.length, words }));
    const commits = staged.map(({ commit }) => commit);
    let result: Ending = 'unknown';
    try {
      result = commits.length + records.length > 0 ? await together(commits, records) : 'committed';
    } finally {
      for (const { settle } of staged) settle(result);
    }
    return result === 'committed';
  }

  function share(wanted: readonly Claim[]): Share[] {
    const places: number[][] = slots.map(() => []);
    for (let i = 0; i < wanted.length; i++) places[(wanted[i]!.identityHigh >>> 0) % slotCount]!.push(i);
    const shares = slots.map((slot, number) => ({
      slot,
      name: slotName(number),
      places: places[number]!,
      open: new Set<string>(),
      isWritten: false,
    }));
    return shares.filter((one) => one.places.length > 0);
  }

  /**
   * What must be waited for: a slot that is not read, another attempt in hand with one of these, an earlier attempt of which it is
   * not known whether it is open. Null where nothing is in the way in this turn.
   */
  function obstacle(attempt: string, shares: readonly Share[], wanted: readonly Claim[]): Promise<unknown> | null {
    if (!shares.every(({ slot }) => slot.isReady())) return Promise.all(shares.map(({ slot }) => slot.ready()));
    const looks = shares.map((one) => look(attempt, one, wanted));
    for (const { others } of looks) for (const other of others) return inHand.get(other)?.done ?? null;
    if (looks.every(({ unsure }) => unsure.size === 0)) return null;
    return Promise.all(shares.map((one, i) => ask(one, looks[i]!.unsure)));
  }

  /** Attempts that claimed some of these: in hand, and of which it is not known whether they are open. */
  function look(
    attempt: string,
    { slot, places, open }: Share,
    wanted: readonly Claim[],
  ): { others: Set<string>; unsure: Set<string> } {
    const [others, unsure] = [new Set<string>(), new Set<string>()];
    for (let i = 0; i < places.length; i++) {
      const { identityLow, identityHigh } = wanted[places[i]!]!;
      if (!slot.index.find(identityLow, identityHigh)) continue;
      const owner = slot.attemptOf(slot.index.found.attempt);
      if (owner === undefined || owner === attempt || finished.has(owner)) continue;
      if (inHand.has(owner)) others.add(owner);
      else if (!open.has(owner)) unsure.add(owner);
    }
    return { others, unsure };
  }

  async function ask({ slot, open }: Share, unsure: ReadonlySet<string>): Promise<void> {
    if (unsure.size === 0) return;
    for (const attempt of await slot.pending([...unsure])) open.add(attempt);
  }

  async function write(
    attempt: string,
    one: Share,
    wanted: readonly Claim[],
    answers: ClaimAnswer[],
    receivedAtMs: number,
  ): Promise<void> {
    const { slot, name } = one;
    let { places } = one;
    try {
      for (let tries = 0; tries < triesMax; tries++) {
        const taken = takeAll(attempt, { ...one, places }, wanted, answers, receivedAtMs, tries > 0);
        if (taken.places.length === 0) return;
        const { words } = taken;
        if ((await slot.add({ attempt, receivedAtMs, count: taken.places.length, words })) === 'committed') {
          one.isWritten = true;
          return;
        }
        places = taken.places;
        const left = { ...one, places };
        for (let wait = obstacleAgain(attempt, left, wanted); wait; wait = obstacleAgain(attempt, left, wanted)) await wait;
      }
      throw new ClaimsContended(name);
    } catch (fault) {
      // What was noted in memory did not become a claim, or nobody knows.
      slot.distrust();
      throw fault;
    }
  }

  /** Another intake was quicker. Attempts of this process are not waited for here: they might be waiting for this one. */
  function obstacleAgain(attempt: string, one: Share, wanted: readonly Claim[]): Promise<unknown> | null {
    if (!one.slot.isReady()) return one.slot.ready();
    const { others, unsure } = look(attempt, one, wanted);
    if (others.size > 0) throw new ClaimsContended(one.name);
    return unsure.size > 0 ? ask(one, unsure) : null;
  }

  /** Answers each place, notes what is claimed in memory, and gives the block that says so. */
  function takeAll(
    attempt: string,
    { slot, places }: Share,
    wanted: readonly Claim[],
    answers: ClaimAnswer[],
    receivedAtMs: number,
    isRetry: boolean,
  ) {
    const { index } = slot;
    const number = slot.numberOf(attempt);
    const oldestSureMs = slot.forgottenMs() + futureMsMax;
    const words = new Int32Array(places.length * wordsPerClaim);
    const claimed: number[] = [];
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!;
      const { identityLow, identityHigh, contentLow, contentHigh, timeMs } = wanted[place]!;
      const isKnown = index.find(identityLow, identityHigh);
      if (isKnown && !(isRetry && index.found.attempt === number)) {
        answers[place] = answerOf(attempt, slot, wanted[place]!);
        if (answers[place].kind !== 'again') continue;
      } else if (!isKnown && timeMs <= oldestSureMs) {
        answers[place] = isAgain;
      }
      index.set(identityLow, identityHigh, contentLow, contentHigh, number, receivedAtMs);
      const at = claimed.push(place) * wordsPerClaim - wordsPerClaim;
      words[at] = identityLow;
      words[at + 1] = identityHigh;
      words[at + 2] = contentLow;
      words[at + 3] = contentHigh;
    }
    return { places: claimed, words };
  }

  /** To an identity that was found in the index. */
  function answerOf(attempt: string, slot: ClaimSlot, { contentLow, contentHigh }: Claim): ClaimAnswer {
    const { found } = slot.index;
    const owner = slot.attemptOf(found.attempt);
    const isTwin = owner === attempt;
    if (found.contentLow !== contentLow || found.contentHigh !== contentHigh) {
      return { kind: 'conflict', earlierContent: formatContent(found), earlierDay: isTwin ? undefined : found.day };
    }
    return isTwin || owner === undefined || finished.has(owner) ? isDuplicate : isAgain;
  }

  function letGo(attempt: string): readonly Share[] {
    const held = inHand.get(attempt);
    inHand.delete(attempt);
    held?.release();
    return held?.shares ?? [];
  }

  async function finish(attempt: string): Promise<void> {
    finished.add(attempt);
    const shares = letGo(attempt);
    try {
      await Promise.all(shares.filter(({ isWritten }) => isWritten).map(({ slot }) => slot.finish(attempt)));
    } finally {
      finished.delete(attempt);
    }
  }

  async function sweep(beforeDay: number): Promise<number> {
    let removed = 0;
    for (const slot of slots) removed += await slot.sweep(`sweep/${newId()}`, beforeDay);
    return removed;
  }

  const { together } = state;
  return {
    hashKey: () => openHashKey(state, newId),
    claim,
    record: together
      ? (attempt, wanted, receivedAtMs, recordsOf) => record(together, attempt, wanted, receivedAtMs, recordsOf)
      : null,
    finish,
    abandon: (attempt) => void letGo(attempt),
    sweep,
  };
}

const isNew: ClaimAnswer = { kind: 'new' };
const isAgain: ClaimAnswer = { kind: 'again' };
const isDuplicate: ClaimAnswer = { kind: 'duplicate' };

function slotName(slot: number): string {
  return `ids/${String(slot).padStart(2, '0')}`;
}

const secretSlot = 'intake';
const secretKey = 'hash-key';

/** Made by whoever comes first. */
async function openHashKey(state: State, newId: () => string): Promise<HashKey> {
  const made = createHash('sha256').update(newId()).digest().subarray(0, 8);
  await state.commit(secretSlot, { expect: [{ key: secretKey, value: null }], put: [{ key: secretKey, value: made }] });
  const [value] = await state.get(secretSlot, [secretKey]);
  const bytes = Buffer.from(value ?? made);
  return { low: bytes.readInt32LE(0), high: bytes.readInt32LE(4) };
}

/** A content hash as people can compare it. */
export function formatContent({ contentLow, contentHigh }: Pick<Claim, 'contentLow' | 'contentHigh'>): string {
  return `${(contentHigh >>> 0).toString(16).padStart(8, '0')}${(contentLow >>> 0).toString(16).padStart(8, '0')}`;
}

function deferred(): { done: Promise<void>; release: () => void } {
  let release: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { done, release };
}
