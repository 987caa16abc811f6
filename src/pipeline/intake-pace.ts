import { frameName } from '../domain/frame.js';
import type { LogRecord } from '../ports/log.js';
import type { FrameViews } from './frame-views.js';

/**
 * Lets intake run ahead of this process's own scoring by so much work and no more. What partitions tell each other stands on the
 * log behind all that was taken in before it: the further intake is ahead, the later they hear of one another, and the later a
 * warning. The work is reckoned from how fast scoring has been lately.
 */
export interface IntakePace {
  /** Counts what is put. */
  readonly frameViews: FrameViews;
  /** These were scored, and what they led to is on the log. */
  readonly scored: (records: readonly LogRecord[]) => void;
  /**
   * Resolves when there is room for a body of so many legs, in the order of asking; a body that is larger than what is
   * left has it once half of it is free. The answer gives the room back: once the body's frames are put, or will not be.
   */
  readonly room: (legs: number) => Promise<() => void>;
}

export interface PaceOptions {
  readonly frameViews: FrameViews;
  /** Of scoring, in milliseconds. */
  readonly aheadMsMax: number;
  /** What waits longer counts no more: its partition may be closed, or the frame may not have reached the log. Nobody waits for those. */
  readonly waitMsMax: number;
  /** Never goes back. */
  readonly clock: { now(): number };
}

/** Legs that have room however slow scoring is: with fewer it would wait for intake. */
const legsMin = 200;
/** Over this time the speed of scoring is a mean, in which the latest counts most. */
const speedMs = 1_000;

export function createIntakePace({ frameViews, aheadMsMax, waitMsMax, clock }: PaceOptions): IntakePace {
  /** Oldest first. */
  const ahead = new Map<string, { readonly legs: number; readonly atMs: number }>();
  const waiting: { readonly legs: number; readonly go: () => void }[] = [];
  const speed = { legs: 0, ms: 0 };
  let legsAhead = 0;
  let legsComing = 0;
  /** Since when what is ahead has been worked on without a result. */
  let sinceMs = 0;
  let timer: NodeJS.Timeout | undefined;

  function settle(name: string): number {
    const frame = ahead.get(name);
    if (!frame) return 0;
    ahead.delete(name);
    legsAhead -= frame.legs;
    return frame.legs;
  }

  /** How long the oldest counts still; null where there is none. */
  function expire(): number | null {
    const nowMs = clock.now();
    for (const [name, { atMs }] of ahead) {
      const leftMs = atMs + waitMsMax - nowMs;
      if (leftMs > 0) return leftMs;
      settle(name);
    }
    return null;
  }

  function legsMax(): number {
    return speed.ms === 0 ? legsMin : Math.max(legsMin, (speed.legs / speed.ms) * aheadMsMax);
  }

  function admit(): void {
    clearTimeout(timer);
    const leftMs = expire();
    while (waiting.length > 0) {
      const taken = legsAhead + legsComing;
      const { legs, go } = waiting[0]!;
      const most = legsMax();
      if (taken > most / 2 && taken + legs > most) break;
      waiting.shift();
      legsComing += legs;
      go();
    }
    if (waiting.length > 0 && leftMs !== null) timer = setTimeout(admit, leftMs);
  }

  return {
    frameViews: {
      put(name, known) {
        frameViews.put(name, known);
        const atMs = clock.now();
        if (ahead.size === 0) sinceMs = atMs;
        const legs = known.rows.length;
        ahead.set(name, { legs, atMs });
        legsAhead += legs;
      },
      take: (name) => frameViews.take(name),
      forget(name) {
        settle(name);
        frameViews.forget(name);
      },
    },
    scored(records) {
      const legs = records.reduce((sum, { value }) => sum + settle(frameName(value)), 0);
      if (legs === 0) return;
      const nowMs = clock.now();
      const keep = Math.exp(-(nowMs - sinceMs) / speedMs);
      speed.legs = speed.legs * keep + legs;
      speed.ms = speed.ms * keep + (nowMs - sinceMs);
      sinceMs = nowMs;
      if (waiting.length > 0) admit();
    },
    room: (legs) =>
      new Promise((resolve) => {
        let isBack = false;
        const giveBack = (): void => {
          if (isBack) return;
          isBack = true;
          legsComing -= legs;
          if (waiting.length > 0) admit();
        };
        waiting.push({ legs, go: () => resolve(giveBack) });
        if (waiting.length === 1) admit();
      }),
  };
}
