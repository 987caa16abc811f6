/** Work that is done one after the other, in the order in which it was asked for. */
export interface Turns {
  /** Rejects with what the work throws, which does not hinder those that come after it. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(work) {
      const turn = last.then(work);
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}
