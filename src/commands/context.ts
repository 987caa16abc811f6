export { endCommits } from '../app.js';

/** What a command needs of the process it runs in; `main.ts` makes it, tests make their own. */
export interface CommandContext {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the files that ship lie: `config/` and the built console. */
  readonly paths: { readonly config: string; readonly console: string };
  readonly nodeVersion: string;
  readonly clock: { now(): number };
  /** Aborts when the process is asked to stop (SIGINT, SIGTERM). */
  readonly stop: AbortSignal;
  /** Memory of the process in bytes. */
  readonly memoryBytes: () => number;
  /** Files that are made from here on are for this user alone. */
  keepFilesPrivate(): void;
  /** 0 done, 1 the work failed, 2 the command was used wrongly. The last call holds. */
  setExitCode(code: number): void;
}

/** An expected failure: said in one sentence, without a stack. */
export class CommandFailure extends Error {
  constructor(
    message: string,
    readonly exitCode: 1 | 2 | 3 = 1,
  ) {
    super(message);
    this.name = 'CommandFailure';
  }
}

/** A whole number of an option. Throws `CommandFailure` with what was expected. */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new CommandFailure(`${option} ${text}: expected a whole number from ${min} to ${max}`, 2);
}

/** Plain words for the failures of files and ports. */
export function plainReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return `${path ?? 'a file'} does not exist`;
    case 'EACCES':
    case 'EPERM':
      return `${path ?? 'a file'} may not be read or written by this user`;
    case 'EISDIR':
      return `${path ?? 'a path'} is a directory; a file is needed`;
    case 'ENOSPC':
      return `the disk is full (${path ?? error.message})`;
    default:
      return error.message;
  }
}
