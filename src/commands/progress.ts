import type { CommandContext } from './context.js';

/** One line on a terminal that says how far the work is; nothing where there is no terminal or the work is quick. */
export interface Progress {
  show(done: number, text: string): void;
  clear(): void;
}

const showAfterMs = 2_000;
const showEveryMs = 250;
const barWidth = 24;

/** `total` 0: the end is not known, so no bar. */
export function createProgress({ stderr, clock }: Pick<CommandContext, 'stderr' | 'clock'>, total: number): Progress {
  const startedMs = clock.now();
  let shownMs = startedMs + showAfterMs - showEveryMs;
  let isShown = false;
  return {
    show(done, text) {
      const nowMs = clock.now();
      if (!stderr.isTTY || nowMs - shownMs < showEveryMs) return;
      shownMs = nowMs;
      isShown = true;
      const share = total > 0 ? Math.min(1, done / total) : 0;
      const bar =
        total > 0
          ? `${'█'.repeat(Math.round(share * barWidth)).padEnd(barWidth, '░')} ${String(Math.round(share * 100)).padStart(3)} %  `
          : '';
      stderr.write(`\r\u001b[2K${bar}${text}`);
    },
    clear() {
      if (isShown) stderr.write('\r\u001b[2K');
      isShown = false;
    },
  };
}

/** Where log lines go on a terminal: each begins on a line of its own, and the progress is shown again below. Undefined for none. */
export function logAbove(
  { stderr }: Pick<CommandContext, 'stderr'>,
  progress: Pick<Progress, 'clear'>,
): { write(line: string): void } | undefined {
  if (!stderr.isTTY) return undefined;
  return {
    write(line) {
      progress.clear();
      stderr.write(line);
    },
  };
}
