import { join } from 'node:path';
import type { Command } from 'commander';
import { openPatternStore } from '../app.js';
import { loadCatalogue } from '../catalogue.js';
import { createCalendar } from '../domain/calendar.js';
import { describeProblem, readPatternFiles, type PatternStore } from '../pipeline/pattern-store.js';
import { runExamples } from '../scoring/example-runner.js';
import { compilePatternSet, type CompiledPattern, type PatternSource } from '../scoring/pattern-set.js';
import { loadSettings } from '../settings.js';
import { type CommandContext, CommandFailure } from './context.js';
import { table } from './table.js';

interface StoreFlags {
  readonly config?: string;
  readonly data?: string;
  readonly json?: boolean;
}

const checkHelp = `
Reads the files, compiles their expressions and runs their examples through the real engine. Nothing is changed.

Examples:
  $ huqi patterns check                               the patterns that ship
  $ huqi patterns check my-patterns/ V01.yaml
  $ huqi patterns check --json | jq '.problems[]'

Exit codes: 0 all good, 1 a file is broken or an example fails, 2 wrong arguments.`;

const pushHelp = `
Puts the files into the set in force, each in place of the pattern of the same id; a changed pattern needs a higher
version. All or nothing: when one file is broken, the set in force stays. A running platform takes the new set within
half a second.

Examples:
  $ huqi patterns push my-patterns/V01.yaml
  $ huqi patterns push my-patterns/ --by "Li, anti-fraud centre"

Exit codes: 0 in force, 1 refused, 2 wrong arguments.`;

/** `huqi patterns check | list | show | push`: the fraud patterns, as files and in the state store. */
export function registerPatterns(program: Command, context: CommandContext): void {
  const patterns = program
    .command('patterns')
    .summary('check, list, show and push fraud patterns')
    .description('The fraud patterns: data in the state store, seeded from config/patterns.');

  patterns
    .command('check')
    .description('Checks pattern files and runs their examples.')
    .argument('[paths...]', 'pattern files or directories; config/patterns otherwise')
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', checkHelp)
    .action((paths: string[], flags: { json?: boolean }) => check(paths, flags, context));

  withStore(patterns.command('list').description('Lists the patterns in force.')).action((flags: StoreFlags) =>
    list(flags, context),
  );
  withStore(patterns.command('show').description('Shows one pattern in force.').argument('<id>', 'such as V01')).action(
    (id: string, flags: StoreFlags) => show(id, flags, context),
  );
  withStore(
    patterns.command('push').description('Puts pattern files into force.').argument('<paths...>', 'pattern files or directories'),
  )
    .option('--by <name>', 'who pushes, for the record', 'command line')
    .addHelpText('after', pushHelp)
    .action((paths: string[], flags: StoreFlags & { by: string }) => push(paths, flags, context));
}

function withStore(command: Command): Command {
  return command
    .option('--config <file>', 'settings that differ from the defaults')
    .option('--data <directory>', 'data directory of the platform')
    .option('--json', 'print as JSON');
}

async function check(paths: readonly string[], { json }: { json?: boolean }, context: CommandContext): Promise<void> {
  const sources = await readAll(paths.length > 0 ? paths : [join(context.paths.config, 'patterns')]);
  const { calendar } = await loadCatalogue(context.paths.config);
  const result = compilePatternSet(sources, createCalendar(calendar, { unknownYears: 'weekends' }));
  if (result.kind === 'broken') {
    context.setExitCode(1);
    context.stdout.write(
      json
        ? `${JSON.stringify({ ok: false, problems: result.problems })}\n`
        : `${result.problems.map(describeProblem).join('\n')}\n${counted(result.problems.length, 'problem')}\n`,
    );
    return;
  }
  const outcomes = result.set.patterns.flatMap(({ pattern }) => runExamples(result.set, pattern));
  const failed = outcomes.filter(({ expected, found }) => expected !== found);
  if (failed.length > 0) context.setExitCode(1);
  if (json) {
    context.stdout.write(
      `${JSON.stringify({ ok: failed.length === 0, patternSet: result.set.id, patterns: result.set.patterns.length, examples: outcomes.length, problems: [], failed })}\n`,
    );
    return;
  }
  for (const { pattern, example, expected, explanation } of failed) {
    context.stdout.write(
      `${pattern} example "${example}": must ${expected === 'hit' ? 'hit but does not' : `not hit but does: ${explanation}`}\n`,
    );
  }
  context.stdout.write(
    failed.length > 0
      ? `${failed.length} of ${outcomes.length} examples fail\n`
      : `${counted(result.set.patterns.length, 'pattern')} good, ${counted(outcomes.length, 'example')} as expected; set ${result.set.id}\n`,
  );
}

async function list(flags: StoreFlags, context: CommandContext): Promise<void> {
  await withPatternStore(flags, context, async (store) => {
    const set = await store.current();
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ patternSet: set.id, patterns: set.patterns.map(brief) })}\n`);
      return;
    }
    const rows = set.patterns.map(({ pattern, state }) => [
      pattern.id,
      String(pattern.version),
      state,
      pattern.side,
      pattern.severity,
      pattern.family,
      pattern.title.zh,
    ]);
    context.stdout.write(
      `${table(['pattern', 'version', 'state', 'side', 'severity', 'family', 'title'], rows)}\n\nset ${set.id}\n`,
    );
  });
}

function brief({ pattern, state }: CompiledPattern): object {
  const { id, version, side, severity, family, title } = pattern;
  return { id, version, state, side, severity, family, title };
}

async function show(id: string, flags: StoreFlags, context: CommandContext): Promise<void> {
  await withPatternStore(flags, context, async (store) => {
    const set = await store.current();
    const found = set.patterns.find(({ pattern }) => pattern.id === id);
    if (!found) throw new CommandFailure(`there is no pattern ${id} in force; huqi patterns list shows them`);
    const { pattern, state, condition } = found;
    context.stdout.write(
      flags.json
        ? `${JSON.stringify({ ...pattern, state })}\n`
        : `${pattern.id} version ${pattern.version}, ${state}\n${pattern.title.zh} · ${pattern.title.en}\n\n${pattern.side} side, severity ${pattern.severity}, family ${pattern.family}, told: ${pattern.audience.join(', ')}\n\n${condition.trim()}\n\n${Object.entries(
            pattern.params,
          )
            .map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`)
            .join('\n')}\n\n${pattern.advice.zh}\n\n${pattern.story}\n`,
    );
  });
}

async function push(paths: readonly string[], flags: StoreFlags & { by: string }, context: CommandContext): Promise<void> {
  const sources = await readAll(paths);
  if (sources.length === 0) throw new CommandFailure(`${paths.join(', ')}: no pattern files (*.yaml) there`);
  await withPatternStore(flags, context, async (store) => {
    const result = await store.push(sources, flags.by, context.clock.now());
    if (result.kind !== 'in-force') context.setExitCode(1);
    if (flags.json) {
      context.stdout.write(`${JSON.stringify(result.kind === 'in-force' ? { ...result, set: result.set.id } : result)}\n`);
      return;
    }
    switch (result.kind) {
      case 'in-force':
        context.stdout.write(
          `set ${result.set.id} is in force: ${result.added.length} added, ${result.changed.length} changed, ${result.same.length} the same\n`,
        );
        return;
      case 'broken':
        context.stderr.write(`${result.problems.map(describeProblem).join('\n')}\nnothing was pushed; the set in force stays\n`);
        return;
      case 'refused':
        context.stderr.write(`${result.reason}\n`);
        return;
    }
  });
}

async function withPatternStore(
  flags: StoreFlags,
  context: CommandContext,
  work: (store: PatternStore) => Promise<void>,
): Promise<void> {
  const settings = loadSettings({
    file: flags.config,
    env: context.env,
    overrides: flags.data === undefined ? {} : { dataDir: flags.data },
  });
  const opened = await openPatternStore(settings, context.paths.config, context.clock.now());
  try {
    await work(opened.store);
  } finally {
    await opened.close();
  }
}

async function readAll(paths: readonly string[]): Promise<PatternSource[]> {
  return (await Promise.all(paths.map(readPatternFiles))).flat();
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
