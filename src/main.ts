#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError } from 'commander';
import { registerBench } from './commands/bench.js';
import { type CommandContext, CommandFailure, endCommits, plainReason } from './commands/context.js';
import { registerDoctor } from './commands/doctor.js';
import { registerKeys } from './commands/keys.js';
import { registerPatterns } from './commands/patterns.js';
import { registerScore } from './commands/score.js';
import { registerSend } from './commands/send.js';
import { registerSimulate } from './commands/simulate.js';
import { registerUp } from './commands/up.js';
import { registerVerify } from './commands/verify.js';

/** The only reader of `process`: arguments, environment, signals, streams and the exit code. */

/**
 * Bodies, frames and rows lie beside the JavaScript heap, some 20 MB a second under load, and V8 counts them as if they were on it: left
 * to itself it collects the whole heap more than once a second, with pauses of 5 to 30 ms. So it may grow further between two collections.
 */
setFlagsFromString('--heap-growing-percent=400');

const root = new URL('../', import.meta.url);
const { version, description } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
  version: string;
  description: string;
};
const stop = new AbortController();
let isEnding = false;
/** For the commit that runs when the process is to end. */
const commitMsMax = 10_000;

const context: CommandContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  paths: { config: fileURLToPath(new URL('config', root)), console: fileURLToPath(new URL('dist/console', root)) },
  nodeVersion: process.version,
  clock: { now: () => Date.now() },
  stop: stop.signal,
  memoryBytes: () => process.memoryUsage().rss,
  keepFilesPrivate: () => void process.umask(0o077),
  setExitCode: (code) => {
    process.exitCode = code;
  },
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) void leave(130);
    stop.abort(new Error(`stopped by ${signal}`));
  });
}
// A consumer that lost a promise has lost a message: better to end and be started again from the last durable position.
process.on('unhandledRejection', (error) => endWith(error));
process.on('uncaughtException', (error) => endWith(error));
// A reader that went away (`huqi score … | head`) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') void leave(0);
});
// What cannot be said (the disk behind it is full) is no reason to end.
process.stderr.on('error', () => undefined);

const program = new Command('huqi')
  .description(description)
  .version(version)
  .showHelpAfterError('(see --help)')
  .configureHelp({ sortSubcommands: false })
  .exitOverride();
registerUp(program, context, version);
registerScore(program, context);
registerSend(program, context);
registerSimulate(program, context);
registerPatterns(program, context);
registerKeys(program, context);
registerDoctor(program, context);
registerVerify(program, context);
registerBench(program, context, version);

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`huqi: ${plainReason(error)}\n`);
    process.exitCode = error instanceof CommandFailure ? error.exitCode : 1;
  }
}
// The command is over: nothing that was left open may keep the process. Pipes get what was written first.
process.stdout.write('', () => process.stderr.write('', () => void leave()));

/** The first fault counts: saying it, or ending, may fail as well. */
function endWith(error: unknown): void {
  if (isEnding) return;
  isEnding = true;
  process.stderr.write(`huqi: ${plainReason(error)}\n`);
  if (process.env['HUQI_LOG_LEVEL'] === 'debug' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  void leave(1);
}

/** Ends the process; where a commit hangs on its disk, without waiting for it any longer. */
async function leave(code?: number): Promise<void> {
  if (code !== undefined) process.exitCode = code;
  const limit = setTimeout(() => process.kill(process.pid, 'SIGKILL'), commitMsMax);
  await endCommits();
  clearTimeout(limit);
  process.exit();
}
