import type { State, StateEntry } from '../../src/ports/state.js';

export interface ForgetfulState extends State {
  /** Takes the last `count` commits of all slots back, as a replica does that was promoted before it had them. */
  forget(count: number): Promise<void>;
  /** Commits that went through so far. */
  commits(): number;
}

interface Undo {
  readonly slot: string;
  readonly put: readonly StateEntry[];
  readonly delete: readonly string[];
}

/** The real state, of a store that may lose what it has acknowledged. Commits go through one after the other. */
export function withForgetting(state: State): ForgetfulState {
  const undos: Undo[] = [];
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };
  return {
    ...state,
    commit: (slot, change) =>
      inTurn(async () => {
        const keys = [...new Set([...(change.put ?? []).map(({ key }) => key), ...(change.delete ?? [])])];
        const before = await state.get(slot, keys);
        const result = await state.commit(slot, change);
        if (result === 'committed') {
          const entries = keys.map((key, i) => ({ key, value: before[i] ?? null }));
          undos.push({
            slot,
            put: entries.flatMap(({ key, value }) => (value ? [{ key, value }] : [])),
            delete: entries.filter(({ value }) => value === null).map(({ key }) => key),
          });
        }
        return result;
      }),
    forget: (count) =>
      inTurn(async () => {
        for (let i = 0; i < count; i++) {
          const undo = undos.pop();
          if (undo) await state.commit(undo.slot, { put: undo.put, delete: undo.delete });
        }
      }),
    commits: () => undos.length,
  };
}
