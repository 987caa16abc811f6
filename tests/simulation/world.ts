import { createRandom } from '../support/stream.js';
import { nextRealTurn } from './timers.js';
import { say } from './say.js';

/**
 * The world that processes, parts and banks live in: one queue of events in simulated time, one source of chance. Whatever a
 * process waits for is an event of this queue, and after each event the process runs until it waits again, so the seed alone
 * decides what happens in which order.
 */
export interface World {
  nowMs(): number;
  /** 0 to 1. */
  random(): number;
  chance(probability: number): boolean;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  pick<T>(from: readonly T[]): T;
  /** How long a message is under way, milliseconds. */
  latencyMs(): number;
  newId(): string;
  spawn(name: string): Incarnation;
  /** For the time of the call that is running. */
  current(): Incarnation | null;
  /** `owner` null: it happens whatever becomes of the processes. */
  schedule(owner: Incarnation | null, inMs: number, run: () => void, isCall?: boolean): Scheduled;
  /** Runs events until `holds` does. Throws `Stuck` after too long, and what `assertSound` throws. */
  runUntil(what: string, holds: () => boolean, limitMs: number): Promise<void>;
  /** Calls of parts under way. */
  callsInFlight(): number;
  /** Calls back when the signal aborts; returns what ends that. A signal with a listener would be kept beyond the run. */
  onAbort(signal: AbortSignal, run: () => void): () => void;
  /** Lets go of every signal. */
  end(): void;
  trace(line: string): void;
  traceTail(lines: number): readonly string[];
  traceHash(): string;
  count(name: string, by?: number): void;
  readonly counts: Map<string, number>;
  /** A promise was broken: the run ends with it. */
  violation(text: string): void;
  readonly violations: string[];
}

/** One life of one process. */
export interface Incarnation {
  readonly name: string;
  readonly number: number;
  isDead: boolean;
  /** What it would do waits until then. */
  pausedUntilMs: number;
  /** Its clock, against the world's. */
  readonly skewMs: number;
}

export interface Scheduled {
  readonly timeMs: number;
  cancelled: boolean;
}

interface Entry extends Scheduled {
  timeMs: number;
  order: number;
  readonly owner: Incarnation | null;
  readonly isCall: boolean;
  readonly run: () => void;
}

const startMs = Date.parse('2026-07-02T09:00:00+08:00');
const traceKept = 4_000;
const eventsMax = 3_000_000;

export interface WorldOptions {
  readonly seed: number;
  readonly verbose?: boolean;
  /** Every message takes as long as every other: nothing depends on chance but what is asked for. */
  readonly isEven?: boolean;
}

export function createWorld({ seed, verbose = false, isEven = false }: WorldOptions): World {
  const random = createRandom(Math.imul(seed + 1, 0x9e3779b1));
  const queue = createQueue();
  const lines: string[] = [];
  const counts = new Map<string, number>();
  const violations: string[] = [];
  const listening = new Set<() => void>();
  let hash = 0x811c9dc5;
  let now = startMs;
  let order = 0;
  let current: Incarnation | null = null;
  let incarnations = 0;
  let events = 0;
  let calls = 0;

  const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));

  function trace(line: string): void {
    const text = `${((now - startMs) / 1000).toFixed(4)} ${current ? current.name : '-'} ${line}`;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    if (verbose) say(text);
    lines.push(text);
    if (lines.length > 2 * traceKept) lines.splice(0, traceKept);
  }

  function schedule(owner: Incarnation | null, inMs: number, run: () => void, isCall = false): Scheduled {
    const entry: Entry = { timeMs: now + Math.max(inMs, 0), order: order++, owner, run, cancelled: false, isCall };
    if (isCall) calls++;
    queue.add(entry);
    return entry;
  }

  /** False where nothing is left to happen. */
  async function step(): Promise<boolean> {
    const entry = queue.next();
    if (!entry) return false;
    if (entry.owner && !entry.owner.isDead && !entry.cancelled && entry.owner.pausedUntilMs > Math.max(now, entry.timeMs)) {
      entry.timeMs = entry.owner.pausedUntilMs;
      entry.order = order++;
      queue.add(entry);
      return true;
    }
    if (entry.isCall) calls--;
    if (entry.cancelled || entry.owner?.isDead) return true;
    now = Math.max(now, entry.timeMs);
    current = entry.owner;
    entry.run();
    // All that follows from it has happened once the next turn begins.
    await nextRealTurn();
    current = null;
    events++;
    return true;
  }

  const world: World = {
    nowMs: () => now,
    random,
    chance: (probability) => random() < probability,
    between,
    pick: (from) => from[Math.floor(random() * from.length)]!,
    latencyMs() {
      if (isEven) return 1;
      const kind = random();
      if (kind < 0.6) return 0.2 + random() * 2;
      if (kind < 0.9) return 2 + random() * 20;
      return kind < 0.99 ? 20 + random() * 200 : 200 + random() * 3_000;
    },
    newId() {
      const part = () =>
        Math.floor(random() * 0x1_0000_0000)
          .toString(16)
          .padStart(8, '0');
      return `${part()}-${part()}-${part()}`;
    },
    spawn(name) {
      const number = ++incarnations;
      const skewMs = isEven ? 0 : between(-200, 200);
      return { name: `${name}#${number}`, number, isDead: false, pausedUntilMs: 0, skewMs };
    },
    current: () => current,
    schedule,
    async runUntil(what, holds, limitMs) {
      const endMs = now + limitMs;
      while (!holds()) {
        if (violations.length > 0) throw new Stuck(`a promise was broken before ${what}`);
        if (now > endMs || events > eventsMax) throw new Stuck(`${what} did not come about within ${limitMs / 1000} s`);
        if (!(await step())) throw new Stuck(`nothing is left to happen before ${what}`);
      }
    },
    callsInFlight: () => calls,
    onAbort(signal, run) {
      const stop = (): void => {
        listening.delete(stop);
        signal.removeEventListener('abort', run);
      };
      signal.addEventListener('abort', run, { once: true });
      listening.add(stop);
      return stop;
    },
    end() {
      for (const stop of listening) stop();
    },
    trace,
    traceTail: (count) => lines.slice(-count),
    traceHash: () => (hash >>> 0).toString(16).padStart(8, '0'),
    count: (name, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
    counts,
    violation(text) {
      trace(`VIOLATION ${text}`);
      violations.push(text);
    },
    violations,
  };
  return world;
}

export class Stuck extends Error {}

/** A binary heap by time, then by the order of coming. */
function createQueue() {
  const heap: Entry[] = [];
  const isBefore = (one: Entry, other: Entry) =>
    one.timeMs < other.timeMs || (one.timeMs === other.timeMs && one.order < other.order);

  return {
    add(entry: Entry): void {
      let at = heap.push(entry) - 1;
      while (at > 0) {
        const parent = (at - 1) >>> 1;
        if (!isBefore(entry, heap[parent]!)) break;
        heap[at] = heap[parent]!;
        at = parent;
      }
      heap[at] = entry;
    },
    next(): Entry | undefined {
      const first = heap[0];
      const last = heap.pop();
      if (!first || !last || heap.length === 0) return first;
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
        if (!isBefore(heap[child]!, last)) break;
        heap[at] = heap[child]!;
        at = child;
      }
      heap[at] = last;
      return first;
    },
  };
}
