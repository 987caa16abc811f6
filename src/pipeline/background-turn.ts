import { setImmediate as nextTurn } from 'node:timers/promises';

let last: Promise<unknown> = Promise.resolve();

/** For work that nobody waits for: of all of it together, only one stretch runs in a turn of the event loop. */
export function backgroundTurn(): Promise<unknown> {
  last = last.then(() => nextTurn());
  return last;
}
