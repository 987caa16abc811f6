import { Unavailable } from '../../src/ports/unavailable.js';
import type { Incarnation, World } from './world.js';

/**
 * What becomes of one call of a part.
 *
 * `crash-before`, `crash-after`: the caller dies before it, or once it was done and before the answer. `refused`: not done, and
 * the caller is told that nobody knows. `reply-lost`: the same, but done. `late`: done only after the caller was told so.
 * `resolved`: the reply was lost, and the adapter found out what had happened. `partial`: an append of which only a part was done.
 * `doubled`: an append that was done twice. `pause-before`: the caller stands still before it sends, long enough to be replaced, and
 * then sends. `cut-off`: the groups think that the caller is dead.
 */
export const fates = [
  'done',
  'crash-before',
  'crash-after',
  'refused',
  'reply-lost',
  'resolved',
  'late',
  'partial',
  'doubled',
  'pause-before',
  'cut-off',
] as const;
export type Fate = (typeof fates)[number];

export type PartName = 'log' | 'state' | 'warehouse';

export interface Call {
  /** Counts the calls of a run from 0. */
  readonly index: number;
  readonly owner: Incarnation;
  readonly part: PartName;
  readonly kind: 'append' | 'commit' | 'insert' | 'read';
  readonly what: string;
}

export interface Request<T> {
  readonly part: PartName;
  readonly kind: Call['kind'];
  readonly what: string;
  /** What is done, each at a time of its own; `half` does the first half of it. */
  readonly steps: readonly { all(): void; half(): void }[];
  /** Asked where the part is, once all was done. */
  readonly answer: () => T;
}

/** Between the processes and the parts: messages take their time, and are lost. */
export interface Network {
  call<T>(owner: Incarnation, request: Request<T>): Promise<T>;
  /** Until then the part answers nobody. */
  outage(part: PartName, forMs: number): void;
  /** Every part answers again. */
  restore(): void;
  readonly calls: number;
}

export interface Disturbances {
  fateOf(call: Call): Fate;
  kill(owner: Incarnation, why: string): void;
  pause(owner: Incarnation, forMs: number): void;
  cutOff(owner: Incarnation): void;
}

export function createNetwork(world: World, disturbances: Disturbances): Network {
  const outages = new Map<PartName, number>();
  /** When the last message of a sender arrives: one connection keeps their order. */
  const arrivals = new WeakMap<Incarnation, Map<string, number>>();
  let calls = 0;

  /** At the earliest after `inMs`, and behind what the sender has sent before. */
  function inOrder(owner: Incarnation, what: string, inMs: number): number {
    const known = arrivals.get(owner) ?? new Map<string, number>();
    arrivals.set(owner, known);
    const atMs = Math.max(world.nowMs() + inMs, known.get(what) ?? 0);
    known.set(what, atMs);
    return atMs - world.nowMs();
  }

  function call<T>(owner: Incarnation, request: Request<T>): Promise<T> {
    const { part, kind, what } = request;
    const index = calls++;
    const fate = disturbances.fateOf({ index, owner, part, kind, what });
    if (fate !== 'done') {
      world.trace(`${what} will be ${fate}`);
      world.count(`${kind} ${fate}`);
    }
    return new Promise((resolve, reject) => {
      const send = (): void => carry(owner, request, fate, resolve, reject);
      if (fate !== 'pause-before') {
        if (fate === 'cut-off') disturbances.cutOff(owner);
        return send();
      }
      disturbances.pause(owner, world.between(8_000, 40_000));
      // Whoever stands still sends when it goes on.
      world.schedule(owner, 0, send, true);
    });
  }

  function carry<T>(
    owner: Incarnation,
    { part, kind, what, steps, answer }: Request<T>,
    fate: Fate,
    resolve: (value: T) => void,
    reject: (fault: unknown) => void,
  ): void {
    const waitMs = Math.max((outages.get(part) ?? 0) - world.nowMs(), 0);
    const deadlineMs = world.between(1_000, 15_000);
    const fail = (inMs: number): void =>
      void world.schedule(owner, inMs, () => reject(new Unavailable(`${part}: no answer to ${what}`)), true);
    if (waitMs > deadlineMs || fate === 'refused') {
      world.trace(`${what} is not answered`);
      return fail(waitMs > 0 ? deadlineMs : world.latencyMs() * 3);
    }
    if (fate === 'crash-before') return void world.schedule(null, 0, () => disturbances.kill(owner, `before ${what}`));

    const delayMs = waitMs + (fate === 'late' ? deadlineMs : 0);
    let lastMs = delayMs;
    for (const step of steps) {
      const does = fate !== 'partial' ? 'all' : world.pick(['all', 'half', 'nothing'] as const);
      const travelMs = delayMs + world.latencyMs();
      const afterMs = fate === 'late' ? travelMs : inOrder(owner, part, travelMs);
      lastMs = Math.max(lastMs, afterMs);
      if (does !== 'nothing') doLater(owner, what, afterMs, () => step[does](), fate);
      if (fate === 'doubled') doLater(owner, what, afterMs + world.latencyMs() * world.between(1, 5), () => step.all(), fate);
    }
    if (fate === 'crash-after') {
      return void world.schedule(null, lastMs, () => disturbances.kill(owner, `after ${what}`));
    }
    if (fate === 'late') return fail(delayMs * world.random());
    if (fate === 'reply-lost' || fate === 'partial') return fail(lastMs + world.latencyMs() * 3);
    if (fate === 'doubled' || fate === 'resolved') lastMs += world.latencyMs() * 3;
    // What is committed is answered once it is durable.
    if (kind === 'commit') lastMs += world.latencyMs();
    // The answer is made where the part is, and then travels.
    world.schedule(
      null,
      lastMs,
      () => {
        let made: { value: T } | { fault: unknown };
        try {
          made = { value: answer() };
        } catch (fault) {
          made = { fault };
        }
        world.schedule(owner, world.latencyMs(), () => ('value' in made ? resolve(made.value) : reject(made.fault)), true);
      },
      true,
    );
  }

  /** What is under way when its sender dies arrives, or does not. */
  function doLater(owner: Incarnation, what: string, inMs: number, run: () => void, fate: Fate): void {
    world.schedule(
      null,
      inMs,
      () => {
        if (owner.isDead && fate !== 'crash-after' && world.chance(0.5)) return world.trace(`${what} is lost with ${owner.name}`);
        if (owner.isDead) world.count('done for a dead sender');
        if (fate === 'late') world.count(`${what.split(' ')[0]} came late`);
        world.trace(what);
        run();
      },
      true,
    );
  }

  return {
    call,
    outage: (part, forMs) => void outages.set(part, world.nowMs() + forMs),
    restore: () => outages.clear(),
    get calls() {
      return calls;
    },
  };
}
