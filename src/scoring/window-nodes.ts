import { widerLength } from './growth.js';
import type { NamedWindow } from './plan.js';
import { kept, snapshotted, type Snapshotted } from './snapshot-state.js';

/** The windows over one stream: what they hold of a subject lies side by side. */
export interface WindowGroup {
  /** The longest first. */
  readonly ids: readonly number[];
  readonly isByDay: boolean;
  /** One of them never ends. */
  readonly isForEver: boolean;
}

/**
 * The nodes of all named windows. A node holds what one subject has of one group: the oldest and the latest event of the stream's
 * queue, and a cell for each window. A window is the end of the queue from an event of its own on. A node and a cell are named by
 * the number in `numbers` at which they begin; `words` is the same memory.
 */
export interface WindowNodes {
  /** Both are replaced when a node is opened or state is loaded. */
  readonly numbers: Float64Array;
  readonly words: Int32Array;
  /** By window: where its cell begins in the node. */
  readonly cellAt: Int32Array;
  /** A node whose windows are empty. */
  open(group: number): number;
  release(node: number, group: number): void;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

/** Words of a node. */
export const queueWord = { head: 0, tail: 1 } as const;
const queueWidth = 1;
/** Numbers of a cell: the time of its oldest event (Infinity for none) and the sum of all … */
export const cell = { headMs: 0, sum: 1 } as const;
/** … and, as words, that event (-1 for none), how many legs there are and of how many counterparties. */
export const cellWord = { first: 4, count: 5, distinct: 6 } as const;
const countedWidth = 3;
const pairedWidth = 4;
/** Behind a cell whose largest or smallest amount is asked for: both, NaN for one that has to be looked for. */
export const extremes = { max: 4, min: 5 } as const;
const extremesWidth = 6;
/** So that a cell and a counterparty are one exact number. */
const numbersMax = 2 ** 27;

export function groupsOf(named: readonly NamedWindow[]): readonly WindowGroup[] {
  const groups = new Map<string, number[]>();
  named.forEach(({ stream }, id) => {
    const key = `${stream.index}/${stream.bit}`;
    groups.set(key, [...(groups.get(key) ?? []), id]);
  });
  return [...groups.values()].map((ids) => ({
    ids: ids.toSorted((a, b) => named[b]!.window.spanMsMax - named[a]!.window.spanMsMax),
    isByDay: named[ids[0]!]!.isByDay,
    isForEver: ids.some((id) => named[id]!.window.spanMsMax === Infinity),
  }));
}

export function createWindowNodes(named: readonly NamedWindow[], groups: readonly WindowGroup[]): WindowNodes {
  const cellAt = new Int32Array(named.length);
  const widths = groups.map(({ ids }) =>
    ids.reduce((width, id) => {
      cellAt[id] = width;
      return width + widthOf(named[id]!);
    }, queueWidth),
  );
  let numbers = new Float64Array(1_024);
  let words = new Int32Array(numbers.buffer);
  let used = 0;
  /** By width: the node that was given back last, whose first number is the one before; -1 for none. */
  let free = new Float64Array(Math.max(0, ...widths) + 1).fill(-1);

  function place(width: number): number {
    const node = free[width]!;
    if (node >= 0) {
      free[width] = numbers[node]!;
      return node;
    }
    if (used + width > numbers.length) {
      if (numbers.length >= numbersMax) throw new RangeError('too many windows in one partition; use more partitions');
      const wider = new Float64Array(Math.min(widerLength(numbers.length), numbersMax));
      wider.set(numbers);
      numbers = wider;
      words = new Int32Array(wider.buffer);
    }
    used += width;
    return used - width;
  }

  return {
    get numbers() {
      return numbers;
    },
    get words() {
      return words;
    },
    cellAt,
    open(group) {
      const node = place(widths[group]!);
      numbers.fill(0, node, node + widths[group]!);
      words[node * 2 + queueWord.head] = -1;
      words[node * 2 + queueWord.tail] = -1;
      for (const id of groups[group]!.ids) {
        const at = node + cellAt[id]!;
        numbers[at + cell.headMs] = Infinity;
        words[at * 2 + cellWord.first] = -1;
      }
      return node;
    },
    release(node, group) {
      const width = widths[group]!;
      numbers[node] = free[width]!;
      free[width] = node;
    },
    bytesUsed: () => numbers.byteLength,
    snapshot: snapshotted(
      () => ({ numbers: kept(numbers, used), used, free: kept(free) }),
      (state) => {
        ({ numbers, used, free } = state);
        words = new Int32Array(numbers.buffer);
      },
    ),
  };
}

function widthOf({ keepsExtremes, isPaired }: NamedWindow): number {
  if (keepsExtremes) return extremesWidth;
  return isPaired ? pairedWidth : countedWidth;
}
