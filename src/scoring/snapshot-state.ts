/**
 * State as plain data, so that it can be stored and taken back. A component gives its state as a tree: tables (typed arrays), lists
 * of things that nobody changes (texts, records), and single values. Tables are the component's own, not copies: what is
 * saved is valid until the component is used again.
 */
export interface Snapshotted {
  save(): Saved;
  /** Takes over what another one of the same kind saved; `state` belongs to it from then on. Only for one that is new. */
  load(state: RestoredTree): void;
}

/**
 * Raised by one whenever saved state means something else than before although it has the same form: another meaning of a column,
 * or a mended fault whose traces live on in the state. State of another number is not restored; the log is read again instead.
 */
export const stateFormat = 4;

/** Whoever restored this state finds that it is not of the kind that it needs. */
export class StateMismatch extends Error {
  readonly retriable = false;
  constructor(path: string, what: string) {
    super(`${path}: ${what}; the state was saved by another release`);
    this.name = 'StateMismatch';
  }
}

export type Table = Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

/** A table of which the first `used` elements count. It is restored with its whole length, zeros behind them. */
export interface Kept<A extends Table = Table> {
  readonly table: A;
  readonly used: number;
}

/** Tables of one type, of which there may be any number. */
export interface KeptTables<A extends Table = Table> {
  readonly tables: readonly Kept<A>[];
}

type Single = number | string | boolean;
/** What takes a while to collect may be a function, called before the component is used again. */
type Later<T> = T | (() => T);
export type Leaf = Kept | KeptTables | readonly unknown[] | Single;
export interface Saved {
  readonly [name: string]: Later<Leaf> | Saved;
}

export type RestoredLeaf = Table | readonly Table[] | readonly unknown[] | Single;
export interface RestoredTree {
  readonly [name: string]: RestoredLeaf | RestoredTree;
}

export type Restored<S> = S extends () => infer R
  ? Restored<R>
  : S extends Kept<infer A>
    ? A
    : S extends KeptTables<infer A>
      ? readonly A[]
      : S extends readonly unknown[] | Single
        ? S
        : { readonly [K in keyof S]: Restored<S[K]> };

/** A component's pair of functions; what is restored is checked against the form of what it saves. */
export function snapshotted<S extends Saved>(save: () => S, load: (state: Restored<S>) => void): Snapshotted {
  return {
    save,
    load(state) {
      assertForm(save(), state, '');
      load(state as Restored<S>);
    },
  };
}

export function kept<A extends Table>(table: A, used = table.length): Kept<A> {
  return { table, used };
}

export function keptTables<A extends Table>(tables: readonly Kept<A>[]): KeptTables<A> {
  return { tables };
}

/** A map of numbers as pairs, in its own order. */
export function keptMap(map: ReadonlyMap<number, number>): () => Kept<Float64Array> {
  return () => {
    const table = new Float64Array(map.size * 2);
    let at = 0;
    for (const [key, value] of map) {
      table[at++] = key;
      table[at++] = value;
    }
    return kept(table);
  };
}

/** Puts such pairs back. */
export function fillMap(map: Map<number, number>, pairs: Float64Array): void {
  map.clear();
  for (let at = 0; at < pairs.length; at += 2) map.set(pairs[at]!, pairs[at + 1]!);
}

/** The states of some components together. */
export function snapshotOfAll(
  components: Readonly<Record<string, Snapshotted>> | readonly Snapshotted[],
  onLoaded?: () => void,
): Snapshotted {
  const entries = Object.entries<Snapshotted>(components);
  return snapshotted(
    () => Object.fromEntries(entries.map(([name, component]) => [name, component.save()])),
    (state) => {
      for (const [name, component] of entries) component.load(state[name] as RestoredTree);
      onLoaded?.();
    },
  );
}

export function isKept(value: unknown): value is Kept {
  return typeof value === 'object' && value !== null && 'table' in value && ArrayBuffer.isView(value.table);
}

export function isKeptTables(value: unknown): value is KeptTables {
  return typeof value === 'object' && value !== null && 'tables' in value && Array.isArray(value.tables);
}

function assertForm(saved: Saved, restored: unknown, path: string): void {
  if (typeof restored !== 'object' || restored === null) throw new StateMismatch(path, 'nothing is there');
  const tree = restored as RestoredTree;
  for (const name of Object.keys(tree))
    if (!Object.hasOwn(saved, name)) throw new StateMismatch(`${path}/${name}`, 'nobody knows it');
  for (const [name, later] of Object.entries(saved)) {
    const wanted = typeof later === 'function' ? later() : later;
    const given = tree[name];
    const at = `${path}/${name}`;
    if (isKept(wanted)) {
      if (given?.constructor !== wanted.table.constructor) throw new StateMismatch(at, 'it is no table of the right type');
    } else if (isKeptTables(wanted) || Array.isArray(wanted)) {
      if (!Array.isArray(given)) throw new StateMismatch(at, 'it is no list');
    } else if (typeof wanted === 'object') assertForm(wanted as Saved, given, at);
    else if (typeof given !== typeof wanted) throw new StateMismatch(at, `it is no ${typeof wanted}`);
  }
}
