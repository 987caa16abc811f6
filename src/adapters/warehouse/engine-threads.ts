import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/**
 * Linux counts niceness by thread, and `/proc/self/task` names them. Threads of the engine that run its statements and merges, as the
 * engine calls them itself; whatever is not found under these names keeps its priority.
 */
const tasks = '/proc/self/task';
const engineThread = /^(ThreadPool|MergeMutate|BgSchPool|Common|Query)/;

/** So much nicer than the process that a thread of it which wants the processor too gets nine parts of ten. */
const behind = 10;
const nicest = 19;

/** What the engine's threads are given, 19 at most. */
export function engineNiceness(): number {
  return Math.min(getPriority() + behind, nicest);
}

/**
 * Puts the threads of the embedded engine behind the rest of the process, where the processor is scarce: nobody waits for the archive,
 * and somebody for every warning. To be called again when the engine may have started more of them: what was looked at is not
 * looked at again. Elsewhere than on Linux it does nothing, and it never throws.
 */
export function createThreadYielder(niceness: number): () => void {
  let known = new Set<string>();
  return () => {
    const current = threads();
    for (const thread of current) if (!known.has(thread)) putBehind(thread, niceness);
    known = new Set(current);
  };
}

function threads(): string[] {
  try {
    return readdirSync(tasks);
  } catch {
    return [];
  }
}

/** Does nothing with a thread of somebody else, or one that has just ended. */
function putBehind(thread: string, niceness: number): void {
  try {
    if (engineThread.test(readFileSync(`${tasks}/${thread}/comm`, 'latin1'))) setPriority(Number(thread), niceness);
  } catch {
    // It has ended, or it is nicer already and may not be raised.
  }
}
