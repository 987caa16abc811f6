import type { PresentedWarning } from '../http/present.js';
import { getJson } from './api.js';

/** What nobody has acknowledged, however old: the stream tells the recent events only. */
export interface Backlog {
  /** Reads all of it, anew where it was being read. */
  read(): void;
  readonly state: 'unread' | 'reading' | 'read' | 'failed';
}

interface Page {
  readonly items: readonly PresentedWarning[];
  readonly next: string | null;
}

const pageItems = 250;

/** @param onPage says whether there is room for more. */
export function createBacklog(onPage: (warnings: readonly PresentedWarning[]) => boolean, onEnd: () => void): Backlog {
  let state: Backlog['state'] = 'unread';
  let attempt = 0;

  async function readAll(mine: number): Promise<void> {
    let after = '';
    for (;;) {
      const page = await getJson<Page>(`/v1/warnings/open?limit=${pageItems}${after}`);
      if (mine !== attempt || !onPage(page.items) || page.next === null) return;
      after = `&after=${encodeURIComponent(page.next)}`;
    }
  }

  return {
    read() {
      const mine = ++attempt;
      state = 'reading';
      const end = (as: 'read' | 'failed') => {
        if (mine !== attempt) return;
        state = as;
        onEnd();
      };
      readAll(mine).then(
        () => end('read'),
        () => end('failed'),
      );
    },
    get state() {
      return state;
    },
  };
}
