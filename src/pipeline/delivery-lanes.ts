import { rank } from '../domain/dispatch-policy.js';
import type { Level } from '../domain/warning.js';

/** One delivery that waits for its time; what it is about lies in the state. */
export interface WaitingDelivery {
  readonly id: string;
  /** The endpoint: one recipient over one channel. */
  readonly lane: string;
  readonly level: Level;
  readonly dueMs: number;
}

export interface LaneSettings {
  readonly concurrencyMax: number;
  readonly perEndpointMax: number;
  readonly pendingPerEndpointMax: number;
  /** Failures in a row after which an endpoint rests … */
  readonly breakAfterFailures: number;
  /** … for this long, and is then tried by one delivery alone. */
  readonly restMs: number;
}

/** `failed` counts against the endpoint; `gone`: there is none any more. */
export type AttemptResult = 'answered' | 'failed' | 'gone';

export interface LaneOptions<T extends WaitingDelivery> {
  readonly settings: LaneSettings;
  readonly clock: { now(): number };
  /** Makes one attempt. Never rejects: what goes wrong is its own affair. */
  readonly attempt: (delivery: T) => Promise<AttemptResult>;
  readonly telemetry: {
    endpointRests(endpoint: string, untilMs: number): void;
    endpointRecovered(endpoint: string): void;
    endpointForgotten(endpoint: string): void;
  };
}

/**
 * Deliveries by endpoint. Each endpoint has a lane of its own with its own limit and its own rest after failures, so that a
 * dead endpoint delays nobody else; among lanes that may start something, the highest level goes first, then the oldest.
 */
export interface DeliveryLanes<T extends WaitingDelivery> {
  /** How many more the endpoint's lane takes. */
  room(lane: string): number;
  add(deliveries: readonly T[]): void;
  /** False where the delivery is under way, or not here. */
  remove(delivery: T): boolean;
  /** Of these lanes, where nothing waits, no rest and no failure is remembered any more. */
  forget(isGone: (lane: string) => boolean): void;
  /** Waiting and under way. */
  readonly pending: number;
  /** Starts nothing more; resolves when what is under way has ended. */
  stop(): Promise<void>;
}

/** Longest sleep of the scheduler: a clock that jumps is noticed by then. */
const sleepMsMax = 30_000;

interface Lane<T> {
  readonly name: string;
  /** By level (index of `levels`): due latest first, so that the next one is at the end. */
  readonly waiting: readonly T[][];
  running: number;
  failures: number;
  restUntilMs: number;
}

export function createDeliveryLanes<T extends WaitingDelivery>(options: LaneOptions<T>): DeliveryLanes<T> {
  const { settings, clock, telemetry } = options;
  const lanes = new Map<string, Lane<T>>();
  const underWay = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  return {
    room: (name) => settings.pendingPerEndpointMax - sizeOf(lanes.get(name)),
    add(deliveries) {
      for (const delivery of deliveries) insert(laneOf(delivery.lane).waiting[rank(delivery.level)] ?? [], delivery);
      startDue();
    },
    remove(delivery) {
      const lane = lanes.get(delivery.lane);
      const queue = lane?.waiting[rank(delivery.level)];
      const at = queue?.findIndex(({ id }) => id === delivery.id) ?? -1;
      if (!lane || !queue || at < 0) return false;
      queue.splice(at, 1);
      dropIfIdle(lane);
      return true;
    },
    forget(isGone) {
      for (const lane of lanes.values()) {
        if (sizeOf(lane) > 0 || !isGone(lane.name)) continue;
        clear(lane);
        dropIfIdle(lane);
      }
    },
    get pending() {
      let count = 0;
      for (const lane of lanes.values()) count += sizeOf(lane);
      return count;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await Promise.all(underWay);
      for (const lane of lanes.values()) clear(lane);
    },
  };

  function startDue(): void {
    clearTimeout(timer);
    if (stopped) return;
    const nowMs = clock.now();
    while (underWay.size < settings.concurrencyMax) {
      const lane = nextLane(nowMs);
      const delivery = lane && takeDue(lane, nowMs);
      if (!lane || !delivery) break;
      start(lane, delivery);
    }
    // At the limit, the next one to end starts what is due.
    if (underWay.size >= settings.concurrencyMax) return;
    const wakeMs = nextWakeMs();
    if (wakeMs < Infinity) timer = setTimeout(startDue, Math.min(Math.max(wakeMs - nowMs, 1), sleepMsMax));
  }

  function start(lane: Lane<T>, delivery: T): void {
    lane.running++;
    const attempt = options.attempt(delivery).then((result) => {
      lane.running--;
      underWay.delete(attempt);
      note(lane, result);
      dropIfIdle(lane);
      startDue();
    });
    underWay.add(attempt);
  }

  /** What it has failed at counts no more; that it answers is not said. */
  function clear(lane: Lane<T>): void {
    if (lane.failures >= settings.breakAfterFailures) telemetry.endpointForgotten(lane.name);
    lane.failures = 0;
    lane.restUntilMs = 0;
  }

  function note(lane: Lane<T>, result: AttemptResult): void {
    if (result === 'gone') {
      clear(lane);
      return;
    }
    if (result === 'answered') {
      if (lane.failures >= settings.breakAfterFailures) telemetry.endpointRecovered(lane.name);
      lane.failures = 0;
      lane.restUntilMs = 0;
      return;
    }
    lane.failures++;
    if (lane.failures < settings.breakAfterFailures) return;
    lane.restUntilMs = clock.now() + settings.restMs;
    telemetry.endpointRests(lane.name, lane.restUntilMs);
  }

  function nextLane(nowMs: number): Lane<T> | null {
    let best: Lane<T> | null = null;
    let bestRank = -1;
    let bestDueMs = Infinity;
    for (const lane of lanes.values()) {
      if (!mayStart(lane, nowMs)) continue;
      const due = peekDue(lane, nowMs);
      if (!due) continue;
      const level = rank(due.level);
      if (level > bestRank || (level === bestRank && due.dueMs < bestDueMs))
        [best, bestRank, bestDueMs] = [lane, level, due.dueMs];
    }
    return best;
  }

  function mayStart(lane: Lane<T>, nowMs: number): boolean {
    const proving = lane.failures >= settings.breakAfterFailures;
    return nowMs >= lane.restUntilMs && lane.running < (proving ? 1 : settings.perEndpointMax);
  }

  function nextWakeMs(): number {
    let wakeMs = Infinity;
    for (const lane of lanes.values()) {
      // A lane at its limit is looked at again when one of its attempts ends.
      if (!mayStart(lane, Infinity)) continue;
      for (const queue of lane.waiting) {
        const next = queue.at(-1);
        if (next) wakeMs = Math.min(wakeMs, Math.max(next.dueMs, lane.restUntilMs));
      }
    }
    return wakeMs;
  }

  function laneOf(name: string): Lane<T> {
    const lane = lanes.get(name) ?? { name, waiting: [[], [], [], []], running: 0, failures: 0, restUntilMs: 0 };
    lanes.set(name, lane);
    return lane;
  }

  /** A lane that failed is kept, so that its rest is not forgotten between two warnings. */
  function dropIfIdle(lane: Lane<T>): void {
    if (sizeOf(lane) === 0 && lane.failures === 0) lanes.delete(lane.name);
  }
}

function sizeOf<T>(lane: Lane<T> | undefined): number {
  return lane ? lane.running + lane.waiting.reduce((sum, queue) => sum + queue.length, 0) : 0;
}

/** The delivery to start next: the highest level that has one due. */
function peekDue<T extends WaitingDelivery>(lane: Lane<T>, nowMs: number): T | undefined {
  return lane.waiting.findLast((queue) => isDue(queue.at(-1), nowMs))?.at(-1);
}

function takeDue<T extends WaitingDelivery>(lane: Lane<T>, nowMs: number): T | undefined {
  return lane.waiting.findLast((queue) => isDue(queue.at(-1), nowMs))?.pop();
}

function isDue(delivery: WaitingDelivery | undefined, nowMs: number): boolean {
  return delivery !== undefined && delivery.dueMs <= nowMs;
}

/** Keeps a queue ordered, due latest first; equal ones in the order they came. */
function insert<T extends WaitingDelivery>(queue: T[], delivery: T): void {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((queue[middle]?.dueMs ?? 0) > delivery.dueMs) low = middle + 1;
    else high = middle;
  }
  queue.splice(low, 0, delivery);
}
