import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = `${root}dist/main.js`;

/** Where the files that ship lie. */
export const config = `${root}config`;
export const sample = {
  day: `${config}/sample/day.ndjson.gz`,
  labels: `${config}/sample/labels.ndjson`,
  broken: `${config}/sample/broken.ndjson`,
};

/** The lines of the sample day, told apart. */
export function sampleLines(): { readonly transactions: readonly string[]; readonly references: readonly string[] } {
  const lines = gunzipSync(readFileSync(sample.day)).toString('utf8').trim().split('\n');
  const isReference = (line: string): boolean => 'type' in (JSON.parse(line) as object);
  return { transactions: lines.filter((line) => !isReference(line)), references: lines.filter(isReference) };
}

export interface Outcome {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Environment = Readonly<Record<string, string>>;

/** Runs the built command to its end. */
export function huqi(args: readonly string[], environment: Environment = {}): Promise<Outcome> {
  return startHuqi(args, environment).ended;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** Resolves with the match as soon as `pattern` is in stdout; throws with what it said where it ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends the signal and waits until the process is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<Outcome>;
}

/**
 * Starts the built command, or the main file of another `release`. Variables of this process that would set HuQi up otherwise are
 * left out.
 */
export function startHuqi(args: readonly string[], environment: Environment = {}, release = main): Running {
  if (!existsSync(release))
    throw new Error(`${release} is missing: these tests run the built command, make it with \`npm run build\``);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HUQI_') && name !== 'NODE_OPTIONS');
  const child = spawn(process.execPath, [release, ...args], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of watchers) watcher();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close').then(([code]: unknown[]): Outcome => ({
    code: typeof code === 'number' ? code : null,
    stdout,
    stderr,
  }));
  return {
    child,
    ended,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(stdout);
          if (!match) return;
          watchers.delete(look);
          resolve(match);
        };
        watchers.add(look);
        look();
        void ended.then((outcome) =>
          reject(
            new Error(`it ended with ${outcome.code} before it printed ${String(pattern)}: ${outcome.stdout}${outcome.stderr}`),
          ),
        );
      }),
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

/** What a failure must look like to the person at the terminal: one sentence on stderr, no stack, the exit code. */
export function failureOf({ code, stderr }: Outcome): { code: number | null; lines: number; hasStack: boolean } {
  return {
    code,
    lines: stderr.trimEnd().split('\n').length,
    hasStack: /^\s+at .+[:)]\d*/m.test(stderr) || stderr.includes('node:internal'),
  };
}
