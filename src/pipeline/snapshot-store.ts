import { crc32c } from '@node-rs/crc32';
import { z } from 'zod';
import type { State, StateEntry } from '../ports/state.js';
import { type CheckpointChain, CheckpointUnreadable, openCheckpoints } from './checkpoint.js';
import type { Chunks } from './snapshot-packing.js';

/**
 * The latest snapshot of a partition, in a slot of its own. Its chunks are written some at a time under an id that nobody had before;
 * then one link of the slot's chain makes it the one that counts, and the chunks of the one before are removed. Each chunk is
 * written together with a link that says how many there are: a writer that was replaced cannot write any more, and what a crash
 * leaves behind is known to whoever comes next.
 */
export interface SnapshotStore {
  /** The snapshot that counts, null without one. */
  readonly current: Manifest | null;
  /**
   * Stores another one; null where `isStopped` said so on the way, and then the one before still counts. Throws `OwnershipLost`
   * when another owner has written.
   */
  write(about: SnapshotFacts, chunks: Chunks, isStopped: () => boolean): Promise<Manifest | null>;
  /**
   * Gives the chunks of the one that counts, packed: the first, and when that is taken the others, several at the same time and in
   * any order. Each is the taker's. Throws where one is missing or damaged.
   */
  read(take: (stored: Uint8Array) => Promise<void>): Promise<void>;
}

/** What a snapshot is of. */
export interface SnapshotFacts {
  /** Of the state's layout; another one cannot be read. */
  readonly format: string;
  readonly planId: string;
  /** Partitions of `transactions`: accounts fall to partitions by their count. */
  readonly partitions: number;
  /** Everything on the partition's log before this offset is in it, and all that it led to is on the log. */
  readonly position: number;
  /** Id of the journal's last batch. */
  readonly batch: string;
  /** What was had from other partitions, see `high-water.ts`. */
  readonly marks: readonly (readonly [from: number, sequence: number, index: number])[];
  readonly takenAtMs: number;
}

const chunksSchema = z.strictObject({ id: z.string(), chunks: z.int().min(0) });
const manifestSchema = chunksSchema.extend({
  format: z.string(),
  planId: z.string(),
  partitions: z.int(),
  position: z.int().min(0),
  batch: z.string(),
  marks: z.array(z.tuple([z.int(), z.int(), z.int()])),
  takenAtMs: z.number(),
  /** Bytes of the state, and of the chunks as they are stored. */
  bytes: z.int(),
  storedBytes: z.int(),
  /** Of each stored chunk its CRC-32C, one behind the other. */
  sums: z.base64(),
});
export type Manifest = z.infer<typeof manifestSchema>;

const bodySchema = z.strictObject({
  current: manifestSchema.nullable(),
  /** Chunks that belong to nothing (yet): of the one that is being written, and of the one before. */
  writing: chunksSchema.nullable(),
  stale: chunksSchema.nullable(),
});
type Body = z.infer<typeof bodySchema>;

export const snapshotSlot = (partition: number) => `snapshot/${partition}`;
const headKey = 'head';
const chunkPrefix = 'chunk/';
const chunkKey = (id: string, chunk: number) => `${chunkPrefix}${id}/${String(chunk).padStart(8, '0')}`;

/** Chunks that are read at the same time. */
const readAhead = 8;
const storedTogether = 4;
const deletedTogether = 64;
const sumBytes = 4;

interface Options {
  readonly state: State;
  readonly partition: number;
  readonly newId: () => string;
}

/** Takes the partition's snapshots over: whoever wrote them before cannot any more. What was left behind is removed. */
export async function openSnapshotStore({ state, partition, newId }: Options): Promise<SnapshotStore> {
  const slot = snapshotSlot(partition);
  const chain = await openChain(state, slot, newId);
  let body: Body = await takeOver();

  async function takeOver(): Promise<Body> {
    const { current = null, writing = null, stale = null } = chain.head ?? {};
    await chain.advance({ current, writing, stale });
    return { current, writing, stale };
  }

  async function advance(change: Partial<Body>, put: readonly StateEntry[] = [], removed: readonly string[] = []): Promise<void> {
    const next = { ...body, ...change };
    await chain.advance(next, { put: () => put, delete: removed });
    body = next;
  }

  /** Removes chunks that belong to nothing, the last ones first. */
  async function remove(which: 'writing' | 'stale'): Promise<void> {
    for (let of = body[which]; of; of = body[which]) {
      const { id, chunks } = of;
      const left = Math.max(0, chunks - deletedTogether);
      const keys = Array.from({ length: chunks - left }, (_, i) => chunkKey(id, left + i));
      await advance({ [which]: left === 0 ? null : { id, chunks: left } }, [], keys);
    }
  }

  async function removeAll(): Promise<void> {
    await remove('writing');
    await remove('stale');
  }

  async function readChunk({ id }: Manifest, chunk: number, sum: number): Promise<Uint8Array> {
    const [stored] = await state.get(slot, [chunkKey(id, chunk)]);
    if (!stored) throw new SnapshotDamaged(`chunk ${chunk} is missing`);
    if (crc32c(stored) !== sum) throw new SnapshotDamaged(`chunk ${chunk} is not what was stored`);
    return stored;
  }

  await removeAll();
  return {
    get current() {
      return body.current;
    },
    async write(about, chunks, isStopped) {
      await removeAll();
      const id = newId();
      const sums: number[] = [];
      let bytes = 0;
      let storedBytes = 0;
      let waiting: Uint8Array[] = [];
      let storing = Promise.resolve();

      /** Stores what waits; the next chunks are made meanwhile. */
      async function store(): Promise<void> {
        await storing;
        if (isStopped() || waiting.length === 0) return;
        const entries = waiting.map((value, i) => ({ key: chunkKey(id, sums.length + i), value }));
        sums.push(...waiting.map((stored) => crc32c(stored)));
        waiting = [];
        storing = advance({ writing: { id, chunks: sums.length } }, entries);
        // Whoever stores the next ones is told.
        storing.catch(() => undefined);
      }

      for await (const { bytes: stored, unpackedBytes } of chunks) {
        if (isStopped()) break;
        waiting.push(stored);
        bytes += unpackedBytes;
        storedBytes += stored.length;
        if (waiting.length >= storedTogether) await store();
      }
      await store();
      await storing;
      if (isStopped()) return null;
      const { current } = body;
      const manifest: Manifest = {
        ...about,
        marks: about.marks.map(([from, sequence, index]) => [from, sequence, index]),
        id,
        chunks: sums.length,
        bytes,
        storedBytes,
        sums: sumsAsText(sums),
      };
      await advance({ current: manifest, writing: null, stale: current && { id: current.id, chunks: current.chunks } });
      await remove('stale');
      return manifest;
    },
    async read(take) {
      const manifest = body.current;
      if (!manifest) throw new SnapshotDamaged('there is none');
      const sums = sumsOf(manifest);
      const ahead: Promise<void>[] = [];
      for (const [chunk, sum] of sums.entries()) {
        const taken = readChunk(manifest, chunk, sum).then(take);
        // Where an earlier one fails nobody waits for this one.
        taken.catch(() => undefined);
        ahead.push(taken);
        if (chunk === 0 || ahead.length >= readAhead) await ahead.shift()!;
      }
      for (const taken of ahead) await taken;
    },
  };
}

/** A snapshot that cannot be restored. */
export class SnapshotDamaged extends Error {
  readonly retriable = false;
  constructor(what: string) {
    super(`the snapshot is damaged: ${what}`);
    this.name = 'SnapshotDamaged';
  }
}

/** The chain; where this release cannot read it, it is begun anew: all that is lost is a snapshot. */
async function openChain(state: State, slot: string, newId: () => string): Promise<CheckpointChain<Body>> {
  const schema = bodySchema.extend({ id: z.string(), previous: z.string().nullable() });
  const open = (): Promise<CheckpointChain<Body>> => openCheckpoints<Body>({ state, slot, key: headKey, schema, newId });
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof CheckpointUnreadable)) throw error;
    const [value = null] = await state.get(slot, [headKey]);
    await state.commit(slot, { expect: [{ key: headKey, value }], delete: [headKey] });
    for (;;) {
      const left = await state.scan(slot, { prefix: chunkPrefix, limit: 4 });
      if (left.length === 0) return open();
      await state.commit(slot, { delete: left.map(({ key }) => key) });
    }
  }
}

function sumsAsText(sums: readonly number[]): string {
  const bytes = Buffer.alloc(sums.length * sumBytes);
  for (const [chunk, sum] of sums.entries()) bytes.writeUInt32LE(sum, chunk * sumBytes);
  return bytes.toString('base64');
}

function sumsOf({ chunks, sums }: Manifest): number[] {
  const bytes = Buffer.from(sums, 'base64');
  if (bytes.length !== chunks * sumBytes) throw new SnapshotDamaged('its sums are not those of its chunks');
  return Array.from({ length: chunks }, (_, chunk) => bytes.readUInt32LE(chunk * sumBytes));
}
