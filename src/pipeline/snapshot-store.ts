import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, inflate, type ZlibOptions } from 'node:zlib';
import { z } from 'zod';
import type { State, StateEntry } from '../ports/state.js';
import { chunkBytesMax } from '../scoring/snapshot-codec.js';
import { type CheckpointChain, CheckpointUnreadable, openCheckpoints } from './checkpoint.js';

/**
 * The latest snapshot of a partition, in a slot of its own. Its chunks are written one by one under an id that nobody had before;
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
  /** Gives the chunks of the one that counts in their order. Throws where one is missing or damaged. */
  read(take: (chunk: Uint8Array) => Promise<void> | void): Promise<void>;
}

/** One after the other, from here or from another thread; ended early where nobody needs the rest. */
export type Chunks = AsyncGenerator<Uint8Array, void> | Generator<Uint8Array, void>;

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
  /** Of each stored chunk the first eight bytes of its SHA-256, one behind the other. */
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

/** Chunks that are compressed, or read, at the same time, in threads of their own. */
const compressedAhead = 2;
const readAhead = 8;
const deletedTogether = 64;
const sumBytes = 8;
/** The fastest: the state is mostly zeros and small numbers, and more effort saves little. */
const level = 1;

/** A chunk comes out in one piece: in pieces of the library's own 16 KB, half of a restore's time goes into joining them. */
const pieceBytes = 2 ** 20;

const compress = promisify<Uint8Array, ZlibOptions, Buffer>(deflate);
const decompress = promisify<Uint8Array, ZlibOptions, Buffer>(inflate);

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

  async function readChunk({ id, sums }: Manifest, chunk: number): Promise<Buffer> {
    const [stored] = await state.get(slot, [chunkKey(id, chunk)]);
    if (!stored) throw new SnapshotDamaged(`chunk ${chunk} is missing`);
    const sum = Buffer.from(sums, 'base64').subarray(chunk * sumBytes, (chunk + 1) * sumBytes);
    if (!sumOf(stored).equals(sum)) throw new SnapshotDamaged(`chunk ${chunk} is not what was stored`);
    return decompress(stored, { maxOutputLength: chunkBytesMax * 16, chunkSize: pieceBytes });
  }

  await removeAll();
  return {
    get current() {
      return body.current;
    },
    async write(about, chunks, isStopped) {
      await removeAll();
      const id = newId();
      const sums: Buffer[] = [];
      let bytes = 0;
      let storedBytes = 0;
      const ahead: Promise<Buffer>[] = [];

      async function storeNext(): Promise<void> {
        const stored = await ahead.shift()!;
        if (isStopped()) return;
        await advance({ writing: { id, chunks: sums.length + 1 } }, [{ key: chunkKey(id, sums.length), value: stored }]);
        sums.push(sumOf(stored));
        storedBytes += stored.length;
      }

      for await (const chunk of chunks) {
        if (isStopped()) return null;
        bytes += chunk.length;
        const compressed = compress(chunk, { level, chunkSize: pieceBytes });
        // Where an earlier one fails nobody waits for this one.
        compressed.catch(() => undefined);
        ahead.push(compressed);
        if (ahead.length >= compressedAhead) await storeNext();
      }
      while (ahead.length > 0) await storeNext();
      if (isStopped()) return null;
      const { current } = body;
      const manifest: Manifest = {
        ...about,
        marks: about.marks.map(([from, sequence, index]) => [from, sequence, index]),
        id,
        chunks: sums.length,
        bytes,
        storedBytes,
        sums: Buffer.concat(sums).toString('base64'),
      };
      await advance({ current: manifest, writing: null, stale: current && { id: current.id, chunks: current.chunks } });
      await remove('stale');
      return manifest;
    },
    async read(take) {
      const manifest = body.current;
      if (!manifest) throw new SnapshotDamaged('there is none');
      const ahead: Promise<Buffer>[] = [];
      for (let chunk = 0; chunk < manifest.chunks + readAhead; chunk++) {
        if (chunk < manifest.chunks) {
          const read = readChunk(manifest, chunk);
          read.catch(() => undefined);
          ahead.push(read);
        }
        if (chunk >= readAhead && ahead.length > 0) await take(await ahead.shift()!);
      }
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

function sumOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, sumBytes);
}
