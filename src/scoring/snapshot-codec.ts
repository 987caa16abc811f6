import { deserialize, serialize } from 'node:v8';
import {
  isKept,
  isKeptTables,
  type Kept,
  type Leaf,
  type RestoredLeaf,
  type RestoredTree,
  type Saved,
  type Table,
} from './snapshot-state.js';

/**
 * State as chunks of bytes and back. Chunks may be taken back in any order but for the first, which says what there is. A chunk
 * holds parts: pieces of tables as they lie in memory, and slices of lists by structured clone, which keeps NaN, -0 and any text.
 */
export const chunkBytesMax = 1_000_000;

/** What was copied out of a component, which may be used again. */
export interface StateCopy {
  /** Bytes of the tables. */
  readonly bytes: number;
  /** Each chunk is the caller's, once. Lists are put into bytes only when their chunk is asked for. */
  chunks(): Generator<Uint8Array, void>;
}

export interface StateReader {
  /** The chunk may be used again afterwards. Throws `StateDamaged`. */
  take(chunk: Uint8Array): void;
  /** All that was saved; throws `StateDamaged` where something is missing. */
  end(): RestoredTree;
}

export class StateDamaged extends Error {
  readonly retriable = false;
  constructor(what: string, options?: ErrorOptions) {
    super(`the saved state cannot be read: ${what}`, options);
    this.name = 'StateDamaged';
  }
}

/** In front of each part: which leaf, which table or first element of it, where in the table, how many bytes. */
const partHeaderBytes = 20;
const countBytes = 4;
const directoryLeaf = 0xffff_ffff;
/** Elements of a list that are put into bytes together. */
const sliceLength = 1_000;

const tableTypes = { Float64Array, Int32Array, Uint32Array, Uint16Array, Uint8Array } as const;
type TableType = keyof typeof tableTypes;
interface TableEntry {
  readonly type: TableType;
  readonly length: number;
  readonly usedBytes: number;
}
type Entry =
  | { readonly kind: 'table'; readonly leaf: number; readonly table: TableEntry }
  | { readonly kind: 'tables'; readonly leaf: number; readonly tables: readonly TableEntry[] }
  | { readonly kind: 'list'; readonly leaf: number; readonly length: number }
  | { readonly kind: 'single'; readonly value: number | string | boolean }
  | { readonly kind: 'tree'; readonly entries: Readonly<Record<string, Entry>> };

/**
 * Copies a state in steps of one chunk, so that others get their turn in between. The component must not be used before the last
 * step is done.
 */
export function* copyState(state: Saved): Generator<void, StateCopy> {
  const writer = createChunkWriter();
  const lists: { readonly leaf: number; readonly list: readonly unknown[] }[] = [];
  let leaves = 0;
  let bytes = 0;
  const directory = yield* copyTree(state);

  function* copyTree(tree: Saved): Generator<void, Entry> {
    const entries: Record<string, Entry> = {};
    for (const [name, later] of Object.entries(tree)) {
      const value = typeof later === 'function' ? later() : later;
      entries[name] = yield* isTree(value) ? copyTree(value) : copyLeaf(value);
    }
    return { kind: 'tree', entries };
  }

  function* copyLeaf(value: Leaf): Generator<void, Entry> {
    if (typeof value !== 'object') return { kind: 'single', value };
    const leaf = leaves++;
    if (isKept(value)) return { kind: 'table', leaf, table: yield* copyTable(leaf, 0, value) };
    if (isKeptTables(value)) {
      const tables: TableEntry[] = [];
      for (const [item, one] of value.tables.entries()) tables.push(yield* copyTable(leaf, item, one));
      return { kind: 'tables', leaf, tables };
    }
    lists.push({ leaf, list: value });
    return { kind: 'list', leaf, length: value.length };
  }

  function* copyTable(leaf: number, item: number, { table, used }: Kept): Generator<void, TableEntry> {
    const own = bytesOf(table).subarray(0, used * table.BYTES_PER_ELEMENT);
    bytes += own.length;
    for (let at = 0; at < own.length;) {
      const length = Math.min(own.length - at, writer.room());
      writer.add(leaf, item, at, own.subarray(at, at + length));
      at += length;
      if (writer.room() === 0) {
        writer.flush();
        yield;
      }
    }
    return { type: table.constructor.name as TableType, length: table.length, usedBytes: own.length };
  }

  writer.flush();
  return {
    bytes,
    *chunks() {
      const first = createChunkWriter();
      first.add(directoryLeaf, 0, 0, serialize(directory));
      first.flush();
      yield* first.take();
      yield* writer.take();
      for (const { leaf, list } of lists) {
        for (let from = 0; from < list.length; from += sliceLength)
          for (const part of slicesOf(list, from, Math.min(list.length, from + sliceLength))) {
            if (writer.room() < part.bytes.length) writer.flush();
            writer.add(leaf, part.from, 0, part.bytes);
            yield* writer.take();
          }
      }
      writer.flush();
      yield* writer.take();
    },
  };
}

function isTree(value: Leaf | Saved): value is Saved {
  return typeof value === 'object' && !isKept(value) && !isKeptTables(value) && !Array.isArray(value);
}

/** Some elements of a list as bytes, in as many parts as chunks are large. */
function* slicesOf(list: readonly unknown[], from: number, to: number): Generator<{ from: number; bytes: Buffer }> {
  const bytes = serialize(list.slice(from, to));
  if (bytes.length <= chunkBytesMax - countBytes - partHeaderBytes || to - from === 1) return yield { from, bytes };
  const middle = (from + to) >>> 1;
  yield* slicesOf(list, from, middle);
  yield* slicesOf(list, middle, to);
}

function createChunkWriter() {
  let parts: Buffer[] = [];
  let count = 0;
  let used = countBytes;
  let done: Uint8Array[] = [];

  function flush(): void {
    if (count === 0) return;
    const head = Buffer.alloc(countBytes);
    head.writeUInt32LE(count);
    done.push(Buffer.concat([head, ...parts], used));
    parts = [];
    count = 0;
    used = countBytes;
  }

  return {
    /** Bytes of one more part that the chunk has room for. */
    room: () => Math.max(0, chunkBytesMax - used - partHeaderBytes),
    /** The bytes are copied with the chunk's end: by then nothing of them may have changed. */
    add(leaf: number, item: number, at: number, bytes: Uint8Array): void {
      const head = Buffer.alloc(partHeaderBytes);
      head.writeUInt32LE(leaf);
      head.writeUInt32LE(item, 4);
      head.writeDoubleLE(at, 8);
      head.writeUInt32LE(bytes.length, 16);
      parts.push(head, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      used += partHeaderBytes + bytes.length;
      count++;
    },
    flush,
    *take(): Generator<Uint8Array, void> {
      while (done.length > 0) yield done.shift()!;
    },
  };
}

export function createStateReader(): StateReader {
  let directory: Entry | undefined;
  /** By leaf. */
  const tables: (readonly Uint8Array[])[] = [];
  const restored: RestoredLeaf[] = [];
  let bytesLeft = 0;
  let elementsLeft = 0;

  function open(entry: Entry): void {
    switch (entry.kind) {
      case 'tree':
        return Object.values(entry.entries).forEach(open);
      case 'single':
        return;
      case 'list':
        restored[entry.leaf] = Array.from<unknown>({ length: entry.length });
        elementsLeft += entry.length;
        return;
      case 'table':
        restored[entry.leaf] = openTables(entry.leaf, [entry.table])[0]!;
        return;
      case 'tables':
        restored[entry.leaf] = openTables(entry.leaf, entry.tables);
    }
  }

  function openTables(leaf: number, entries: readonly TableEntry[]): Table[] {
    const opened = entries.map(({ type, length, usedBytes }) => {
      bytesLeft += usedBytes;
      return new tableTypes[type](length);
    });
    tables[leaf] = opened.map(bytesOf);
    return opened;
  }

  function takePart(leaf: number, item: number, at: number, bytes: Uint8Array): void {
    if (leaf === directoryLeaf) {
      directory = deserialize(bytes) as Entry;
      open(directory);
    } else if (tables[leaf]) {
      tables[leaf][item]!.set(bytes, at);
      bytesLeft -= bytes.length;
    } else {
      const slice = deserialize(bytes) as unknown[];
      const list = restored[leaf] as unknown[];
      if (item + slice.length > list.length) throw new RangeError('a slice lies behind the end of its list');
      slice.forEach((element, i) => (list[item + i] = element));
      elementsLeft -= slice.length;
    }
  }

  function restore(entry: Entry): RestoredLeaf | RestoredTree {
    if (entry.kind === 'single') return entry.value;
    if (entry.kind !== 'tree') return restored[entry.leaf]!;
    return Object.fromEntries(Object.entries(entry.entries).map(([name, of]) => [name, restore(of)]));
  }

  return {
    take(chunk) {
      try {
        const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
        let at = countBytes;
        for (let left = bytes.readUInt32LE(0); left > 0; left--) {
          const length = bytes.readUInt32LE(at + 16);
          const from = at + partHeaderBytes;
          if (from + length > bytes.length) throw new RangeError('a part lies behind the end of its chunk');
          takePart(
            bytes.readUInt32LE(at),
            bytes.readUInt32LE(at + 4),
            bytes.readDoubleLE(at + 8),
            bytes.subarray(from, from + length),
          );
          at = from + length;
        }
      } catch (cause) {
        throw new StateDamaged('a chunk is damaged', { cause });
      }
    },
    end() {
      if (!directory) throw new StateDamaged('its directory is missing');
      if (bytesLeft !== 0 || elementsLeft !== 0)
        throw new StateDamaged(`${bytesLeft} bytes of tables and ${elementsLeft} elements of lists are missing`);
      return restore(directory) as RestoredTree;
    },
  };
}

function bytesOf(table: Table): Uint8Array {
  return new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
}
