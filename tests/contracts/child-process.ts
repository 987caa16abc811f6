import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** How a process of its own opens the store under test: a module, and what its `openLog`, `openState` or `openWarehouse` is given. */
export interface Opener {
  readonly module: string;
  readonly config: unknown;
}

export interface Child {
  /** Every line that it has printed so far. */
  readonly lines: readonly string[];
  /** Waits until it has printed `count` lines; throws with what it wrote to stderr where it ends before. */
  printed(count: number): Promise<void>;
  /** Stops it in the middle of whatever it does (SIGSTOP), or lets it go on (SIGCONT). */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** SIGKILL, and waits until it is gone and all it had printed is in `lines`. */
  kill(): Promise<void>;
  /** Waits for a clean end; throws with what it wrote to stderr otherwise. */
  ended(): Promise<void>;
}

const scriptPath = fileURLToPath(new URL('./child-main.ts', import.meta.url));

/** Starts `child-main.ts` on a task over the store that `opener` opens. */
export function startChild(opener: Opener, task: string, ...parameters: string[]): Child {
  return startScript(scriptPath, [opener.module, JSON.stringify(opener.config), task, ...parameters]);
}

/** Starts any TypeScript file as a process of its own. */
export function startScript(path: string, parameters: readonly string[]): Child {
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  let complaints = '';
  let waiting: (() => void)[] = [];
  const wake = () => {
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    wake();
  });
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const gone = once(child, 'close').then(wake);
  return {
    lines,
    printed: async (count) => {
      while (lines.length < count) {
        if (child.exitCode !== null)
          throw new Error(`the child ended with ${child.exitCode} after ${lines.length} lines: ${complaints}`);
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    signal: (name) => void child.kill(name),
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
    ended: async () => {
      await gone;
      if (child.exitCode !== 0) throw new Error(`the child ended with ${child.exitCode}: ${complaints}`);
    },
  };
}
