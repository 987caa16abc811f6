import type { PresentedWarning } from '../http/present.js';

/** What the feed shows. Pure: no DOM, no clock. */
export interface FeedModel {
  /** Merges by id and revision, so that what is sent again changes nothing. */
  apply(warning: PresentedWarning): 'new' | 'updated' | 'stale';
  /** While frozen rows keep their places; new warnings wait. An empty list never freezes: it would say that there is nothing. */
  freeze(): void;
  /** Shows what waited, newest first. */
  resume(): void;
  readonly frozen: boolean;
  /** New warnings that wait. */
  readonly waiting: number;
  readonly size: number;
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

const levelOrder: Readonly<Record<string, number>> = { blue: 0, yellow: 1, orange: 2, red: 3 };

/** @param describe all text of a warning that the text filter looks at, in lower case. */
export function createFeedModel(windowMax: number, describe: (warning: PresentedWarning) => string): FeedModel {
  const byId = new Map<string, PresentedWarning>();
  /** Ids, newest first. */
  let shown: string[] = [];
  /** Ids that wait, oldest first; they are in `byId` too. */
  let waiting: string[] = [];
  let waitingDropped = 0;
  let frozen = false;

  const trim = () => {
    for (const id of shown.splice(windowMax)) byId.delete(id);
  };
  const wait = (id: string) => {
    waiting.push(id);
    if (waiting.length <= windowMax) return;
    const dropped = waiting.shift();
    if (dropped !== undefined) byId.delete(dropped);
    waitingDropped++;
  };

  return {
    apply(warning) {
      const known = byId.get(warning.id);
      if (known && known.revision >= warning.revision) return 'stale';
      byId.set(warning.id, warning);
      if (!known) {
        if (frozen) wait(warning.id);
        else shown.unshift(warning.id);
        trim();
        return 'new';
      }
      const hasRisen = (levelOrder[warning.level] ?? 0) > (levelOrder[known.level] ?? 0);
      if (hasRisen && !frozen) shown = [warning.id, ...shown.filter((id) => id !== warning.id)];
      return 'updated';
    },
    freeze() {
      frozen = shown.length > 0;
    },
    resume() {
      frozen = false;
      shown = [...waiting.reverse(), ...shown];
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
    get: (id) => byId.get(id),
    visible(filter) {
      const words = filter.text.split(/\s+/).filter(Boolean);
      return shown.flatMap((id) => {
        const warning = byId.get(id);
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
      byId.clear();
      shown = [];
      waiting = [];
      waitingDropped = 0;
    },
  };
}
