import type { PresentedWarning } from '../http/present.js';

/** What the feed shows. Pure: no DOM, no clock. */
export interface FeedModel {
  /** Merges by id and revision, so that what is sent again changes nothing. */
  apply(warning: PresentedWarning): 'new' | 'updated' | 'stale';
  /** Merges what was read from a list and is no news: it takes its place by time. */
  fill(warnings: readonly PresentedWarning[]): void;
  /** While frozen rows keep their places; new warnings wait. An empty list never freezes: it would say that there is nothing. */
  freeze(): void;
  /** Shows what waited, newest first. */
  resume(): void;
  readonly frozen: boolean;
  /** New warnings that wait. */
  readonly waiting: number;
  readonly size: number;
  /** Of those held, the ones that nobody has acknowledged. */
  readonly open: number;
  /** Even open warnings had to go: there were more than a page can hold. */
  readonly isCut: boolean;
  get(id: string): PresentedWarning | undefined;
  /** Newest first. */
  visible(filter: FeedFilter): readonly PresentedWarning[];
  clear(): void;
}

export interface FeedFilter {
  /** Empty: all. */
  readonly levels: ReadonlySet<string>;
  readonly side: 'victim' | 'mule' | null;
  /** Lower case; every word must occur. */
  readonly text: string;
}

export interface FeedLimits {
  /** Acknowledged and disposed ones that are held; older ones go. */
  readonly closedMax: number;
  /** Open ones stay whatever came after them, as far as a browser can hold them. */
  readonly openMax: number;
}

interface Entry {
  warning: PresentedWarning;
  /** When it was raised, or the place of the newest at the time it rose in level: the list is ordered by it. */
  placeMs: number;
}

const levelOrder: Readonly<Record<string, number>> = { blue: 0, yellow: 1, orange: 2, red: 3 };

/** @param describe all text of a warning that the text filter looks at, in lower case. */
export function createFeedModel({ closedMax, openMax }: FeedLimits, describe: (warning: PresentedWarning) => string): FeedModel {
  const byId = new Map<string, Entry>();
  /** Ids, newest first. */
  let shown: string[] = [];
  /** Ids that wait, oldest first; they are in `byId` too. */
  let waiting: string[] = [];
  let waitingDropped = 0;
  let frozen = false;
  let isCut = false;

  const isOpen = (id: string) => byId.get(id)?.warning.status === 'open';
  const placeOf = (id: string | undefined) => (id === undefined ? undefined : byId.get(id)?.placeMs) ?? 0;
  const newestFirst = (a: string, b: string) => placeOf(b) - placeOf(a);

  /** Of two raised at the same time the one that came later stands first. */
  const insert = (id: string) => {
    const placeMs = placeOf(id);
    let [from, to] = [0, shown.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (placeOf(shown[middle]) > placeMs) from = middle + 1;
      else to = middle;
    }
    shown.splice(from, 0, id);
  };
  const trim = () => {
    if (shown.length <= Math.min(closedMax, openMax)) return;
    let [open, closed] = [0, 0];
    shown = shown.filter((id) => {
      if (isOpen(id) ? ++open <= openMax : ++closed <= closedMax) return true;
      isCut ||= isOpen(id);
      byId.delete(id);
      return false;
    });
  };
  const wait = (id: string) => {
    waiting.push(id);
    if (waiting.length <= closedMax) return;
    const closed = waiting.findIndex((one) => !isOpen(one));
    if (closed < 0 && waiting.length <= openMax) return;
    isCut ||= closed < 0;
    for (const dropped of waiting.splice(Math.max(closed, 0), 1)) byId.delete(dropped);
    waitingDropped++;
  };

  return {
    apply(warning) {
      const known = byId.get(warning.id);
      if (!known) {
        byId.set(warning.id, { warning, placeMs: Date.parse(warning.raisedAt) });
        if (frozen) wait(warning.id);
        else {
          insert(warning.id);
          trim();
        }
        return 'new';
      }
      if (known.warning.revision >= warning.revision) return 'stale';
      const hasRisen = (levelOrder[warning.level] ?? 0) > (levelOrder[known.warning.level] ?? 0);
      known.warning = warning;
      if (hasRisen && !frozen) {
        known.placeMs = Math.max(known.placeMs, placeOf(shown[0]));
        shown = [warning.id, ...shown.filter((id) => id !== warning.id)];
      }
      return 'updated';
    },
    fill(warnings) {
      const before = byId.size;
      for (const warning of warnings) {
        const known = byId.get(warning.id);
        if (!known) byId.set(warning.id, { warning, placeMs: Date.parse(warning.raisedAt) });
        else if (known.warning.revision < warning.revision) known.warning = warning;
      }
      // A map keeps the order of insertion: the new ones are its last.
      shown = [...shown, ...[...byId.keys()].slice(before)].sort(newestFirst);
      trim();
    },
    freeze() {
      frozen = shown.length > 0;
    },
    resume() {
      frozen = false;
      shown = [...waiting.reverse(), ...shown].sort(newestFirst);
      waiting = [];
      waitingDropped = 0;
      trim();
    },
    get frozen() {
      return frozen;
    },
    get waiting() {
      return waiting.length + waitingDropped;
    },
    get size() {
      return shown.length;
    },
    get open() {
      let count = 0;
      for (const { warning } of byId.values()) if (warning.status === 'open') count++;
      return count;
    },
    get isCut() {
      return isCut;
    },
    get: (id) => byId.get(id)?.warning,
    visible(filter) {
      const words = filter.text.split(/\s+/).filter(Boolean);
      return shown.flatMap((id) => {
        const warning = byId.get(id)?.warning;
        if (!warning) return [];
        if (filter.levels.size > 0 && !filter.levels.has(warning.level)) return [];
        if (filter.side !== null && warning.side !== filter.side) return [];
        if (words.length > 0) {
          const text = describe(warning);
          if (!words.every((word) => text.includes(word))) return [];
        }
        return [warning];
      });
    },
    clear() {
      frozen = false;
      isCut = false;
      byId.clear();
      shown = [];
      waiting = [];
      waitingDropped = 0;
    },
  };
}
