import type { z } from 'zod';
import { OwnershipLost, type Log, type OutgoingRecord } from '../ports/log.js';
import type { State, StateEntry } from '../ports/state.js';

/**
 * A chain of checkpoints in one slot of the state store: each link has an id of its own and names the one before it, and
 * the next link is written only if the last one written is still there. Two owners of one partition cannot both go on,
 * whatever offsets they believe in (comparing offsets was shown wrong under failover).
 */
export interface CheckpointChain<T> {
  /** The last link known to be durable, null before the first. */
  readonly head: Link<T> | null;
  /**
   * Writes the next link and everything beside it in one commit, and after it appends: with that commit where state and log lie
   * in one store. Resolves when all of it is durable. Throws `OwnershipLost` when another owner has written to the chain.
   */
  advance(body: T, beside?: CheckpointChanges<T>): Promise<Link<T>>;
  /**
   * Looks whether the last link written still stands. Throws `OwnershipLost` where another owner has written, or where the store
   * has lost its last commits; whoever is idle would not notice otherwise.
   */
  verify(): Promise<void>;
}

export type Link<T> = T & { readonly id: string; readonly previous: string | null };

interface CheckpointChanges<T> {
  readonly put?: (link: Link<T>) => readonly StateEntry[];
  readonly delete?: readonly string[];
  /** For the log; needs one. */
  readonly append?: readonly OutgoingRecord[];
}

/** The checkpoint in the store is not one that this release can read. */
export class CheckpointUnreadable extends Error {
  readonly retriable = false;
  constructor(slot: string, key: string, options: ErrorOptions) {
    super(`${slot}: the checkpoint ${key} cannot be read; the store is damaged or was written by a newer release`, options);
    this.name = 'CheckpointUnreadable';
  }
}

export interface CheckpointOptions<T> {
  readonly state: State;
  /** Where something is appended. */
  readonly log?: Pick<Log, 'append'>;
  readonly slot: string;
  readonly key: string;
  /** Shape of a link: the body with `id` and `previous`. */
  readonly schema: z.ZodType<Link<T>>;
  /** Ids that no other owner can have chosen. */
  readonly newId: () => string;
}

export async function openCheckpoints<T>(options: CheckpointOptions<T>): Promise<CheckpointChain<T>> {
  const { state, log, slot, key, schema, newId } = options;
  let [stored = null] = await state.get(slot, [key]);
  let head = stored && readLink(stored, slot, key, schema);
  let advancing = 0;

  async function appendTo(records: readonly OutgoingRecord[]): Promise<void> {
    if (!log) throw new Error(`${slot}: this chain was opened without a log, and cannot append to one`);
    await log.append(records);
  }

  return {
    get head() {
      return head;
    },
    async advance(body, beside = {}) {
      const link: Link<T> = { ...body, id: newId(), previous: head?.id ?? null };
      const value = encodeJson(link);
      const { append = [] } = beside;
      const together = append.length > 0 ? state.together : undefined;
      advancing++;
      try {
        const change = {
          expect: [{ key, value: stored }],
          put: [{ key, value }, ...(beside.put?.(link) ?? [])],
          delete: beside.delete ?? [],
        };
        const result = await (together ? together([{ slot, change }], append) : state.commit(slot, change));
        if (result === 'conflict') throw new OwnershipLost(slot);
        stored = value;
        head = link;
      } finally {
        advancing--;
      }
      if (append.length > 0 && !together) await appendTo(append);
      return link;
    },
    async verify() {
      const expected = stored;
      if (advancing > 0) return;
      const [found = null] = await state.get(slot, [key]);
      const isCurrent = advancing === 0 && stored === expected;
      if (isCurrent && !sameBytes(found, expected)) throw new OwnershipLost(slot);
    },
  };
}

function sameBytes(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0;
}

function readLink<T>(value: Uint8Array, slot: string, key: string, schema: z.ZodType<Link<T>>): Link<T> {
  try {
    return schema.parse(decodeJson(value));
  } catch (cause) {
    throw new CheckpointUnreadable(slot, key, { cause });
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

export function decodeJson(value: Uint8Array): unknown {
  return JSON.parse(decoder.decode(value)) as unknown;
}
