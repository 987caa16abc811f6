import type { Incarnation, Scheduled, World } from './world.js';

/**
 * The timers of the simulated processes: those of the language, which belong to whoever is running when they are set. The real
 * ones stay with the world.
 */
let world: World | null = null;

const realImmediate = setImmediate;

/** Resolves once nothing that has begun can go on by itself. */
export function nextRealTurn(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve));
}

interface Timer {
  run: (() => void) | null;
  due: Scheduled | null;
  unref(): Timer;
  ref(): Timer;
  hasRef(): boolean;
}

export function useTimersOf(next: World | null): void {
  world = next;
}

function set(inMs: number, run: () => void): Timer {
  const here = world;
  if (!here) throw new Error('a timer was set outside of the simulation');
  const owner: Incarnation | null = here.current();
  const timer: Timer = { run, due: null, unref: () => timer, ref: () => timer, hasRef: () => true };
  timer.due = here.schedule(owner, inMs, () => {
    const { run: due } = timer;
    timer.run = null;
    due?.();
  });
  return timer;
}

/** In place of the global timers; to be called once, before the first world. */
export function installTimers(): void {
  const setTimeoutHere = (run: (...given: unknown[]) => void, inMs = 0, ...given: unknown[]) => set(inMs, () => run(...given));
  const setIntervalHere = (run: (...given: unknown[]) => void, inMs = 0, ...given: unknown[]) => {
    const timer = set(inMs, function again() {
      run(...given);
      // Cleared by the run itself: nothing is left to repeat.
      if (cleared.has(timer)) return;
      timer.run = again;
      timer.due = world?.schedule(world.current(), inMs, () => timer.run?.()) ?? null;
    });
    return timer;
  };
  const cleared = new WeakSet<object>();
  const clear = (timer: Timer | undefined) => {
    if (!timer) return;
    cleared.add(timer);
    timer.run = null;
    if (timer.due) timer.due.cancelled = true;
  };
  Object.assign(globalThis, {
    setTimeout: setTimeoutHere,
    setInterval: setIntervalHere,
    setImmediate: (run: (...given: unknown[]) => void, ...given: unknown[]) => set(0, () => run(...given)),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  });
  AbortSignal.timeout = (inMs) => {
    const controller = new AbortController();
    set(inMs, () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')));
    return controller.signal;
  };
}
