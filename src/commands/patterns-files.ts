import { join } from 'node:path';
import type { Command } from 'commander';
import { loadCatalogue } from '../catalogue.js';
import { createCalendar } from '../domain/calendar.js';
import { readPatternFiles } from '../pipeline/pattern-files.js';
import { describeProblem } from '../pipeline/pattern-store.js';
import { withoutBroken } from '../pipeline/pattern-push.js';
import { type ExampleOutcome, fallsShort, problemsOf, runExamples } from '../scoring/example-runner.js';
import { parsePattern, type PatternProblem } from '../scoring/pattern.js';
import { compilePatternSet, type PatternSet, type PatternSource } from '../scoring/pattern-set.js';
import { type CommandContext, CommandFailure } from './context.js';
import { type PatternPlace, type PlaceFlags, remotePlace, withPlace, withPlaceOptions } from './pattern-place.js';
import { tell } from './patterns-life.js';

const checkHelp = `
Reads the files, compiles their expressions and runs their examples through the real engine. Nothing is changed.

Examples:
  $ huqi patterns check                               the patterns that ship
  $ huqi patterns check my-patterns/ V01.yaml
  $ huqi patterns check --json | jq '.problems[]'

Exit codes: 0 all good, 1 a file is broken or an example fails, 2 wrong arguments.`;

const pushHelp = `
To a running platform (--to) the files are proposed: what is in force stays until a second person activates them, with
--approved-by at once. Into a data directory they are put into force, each in the state that it names; a running platform takes
them within half a second. A changed pattern needs a higher version, and its examples must hold. All or nothing.

Examples:
  $ huqi patterns push my-patterns/V01.yaml --to http://127.0.0.1:8080 --key "$HUQI_KEY" --note "smaller amounts too"
  $ huqi patterns push V01.yaml --to http://127.0.0.1:8080 --activate --approved-by "$SECOND_KEY"
  $ huqi patterns push my-patterns/ --data /srv/huqi --by "Li, anti-fraud centre"

Exit codes: 0 proposed or in force, 1 refused, 2 wrong arguments.`;

interface PushFlags extends PlaceFlags {
  readonly note?: string;
  readonly activate?: boolean;
  readonly approvedBy?: string;
}

/** `huqi patterns check | push`. */
export function registerFiles(patterns: Command, context: CommandContext): void {
  patterns
    .command('check')
    .description('Checks pattern files and runs their examples.')
    .argument('[paths...]', 'pattern files or directories; config/patterns otherwise')
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', checkHelp)
    .action((paths: string[], flags: { json?: boolean }) => check(paths, flags, context));
  withPlaceOptions(
    patterns
      .command('push')
      .description('Proposes pattern files, or puts them into force in a data directory.')
      .argument('<paths...>', 'pattern files or directories'),
  )
    .option('--by <name>', 'who pushes, for the record of a data directory; with --to it is the holder of the key')
    .option('--note <text>', 'why, for the record')
    .option('--activate', 'with --to: put into force at once; needs --approved-by')
    .option('--approved-by <key>', "a second person's key; HUQI_APPROVER_KEY in the environment otherwise")
    .addHelpText('after', pushHelp)
    .action((paths: string[], flags: PushFlags) => push(paths, flags, context));
}

async function check(paths: readonly string[], { json }: { json?: boolean }, context: CommandContext): Promise<void> {
  const sources = await readAll(paths.length > 0 ? paths : [join(context.paths.config, 'patterns')]);
  const { calendar } = await loadCatalogue(context.paths.config);
  const workingDays = createCalendar(calendar, { unknownYears: 'weekends' });
  const result = compilePatternSet(sources, workingDays);
  // What stands beside a broken file is tried as well: all mistakes are said at once.
  const good = result.kind === 'broken' ? compilePatternSet(withoutBroken(sources, result.problems), workingDays) : result;
  const { outcomes, problems } = good.kind === 'compiled' ? tried(sources, good.set) : { outcomes: [], problems: [] };
  if (result.kind === 'broken') problems.unshift(...result.problems);
  const failed = outcomes.filter(({ expected, found }) => found !== 'broken' && expected !== found);
  const isGood = problems.length + failed.length === 0;
  if (!isGood) context.setExitCode(1);
  if (json) {
    const counts =
      result.kind === 'compiled'
        ? { patternSet: result.set.id, patterns: result.set.patterns.length, examples: outcomes.length }
        : {};
    context.stdout.write(`${JSON.stringify({ ok: isGood, ...counts, problems, failed })}\n`);
    return;
  }
  const lines = [
    ...problems.map(describeProblem),
    ...failed.map((outcome) => `${outcome.pattern} example "${outcome.example}": ${fallsShort(outcome)}`),
    ...(problems.length > 0 ? [counted(problems.length, 'problem')] : []),
    ...(failed.length > 0 ? [`${failed.length} of ${outcomes.length} examples fail`] : []),
    ...(isGood && result.kind === 'compiled'
      ? [
          `${counted(result.set.patterns.length, 'pattern')} good, ${counted(outcomes.length, 'example')} as expected; set ${result.set.id}`,
        ]
      : []),
  ];
  context.stdout.write(`${lines.join('\n')}\n`);
}

/** Runs the examples; those that could not be run are problems of their files. */
function tried(sources: readonly PatternSource[], set: PatternSet): { outcomes: ExampleOutcome[]; problems: PatternProblem[] } {
  const outcomes: ExampleOutcome[] = [];
  const problems: PatternProblem[] = [];
  for (const { text, file } of sources) {
    const result = parsePattern(text, file);
    if (result.kind === 'broken') continue;
    const { id, version } = result.parsed.pattern;
    const compiled = set.patterns.find(({ pattern }) => pattern.id === id && pattern.version === version);
    if (!compiled) continue;
    const found = runExamples(set, compiled.pattern);
    outcomes.push(...found);
    const broken = found.filter((outcome) => outcome.found === 'broken');
    problems.push(...problemsOf(result.parsed, broken));
  }
  return { outcomes, problems };
}

async function push(paths: readonly string[], flags: PushFlags, context: CommandContext): Promise<void> {
  const approver = flags.approvedBy ?? context.env['HUQI_APPROVER_KEY'];
  if (flags.activate && flags.to === undefined)
    throw new CommandFailure('--activate goes with --to: what is pushed into a data directory is in force by that', 2);
  if (flags.activate && !approver)
    throw new CommandFailure(
      "--activate needs a second person's key: --approved-by KEY, or HUQI_APPROVER_KEY in the environment",
      2,
    );
  if (flags.approvedBy !== undefined && !flags.activate) throw new CommandFailure('--approved-by goes with --activate', 2);
  const sources = await readAll(paths);
  if (sources.length === 0) throw new CommandFailure(`${paths.join(', ')}: no pattern files (*.yaml) there`);
  await withPlace(flags, 'seeds', context, async (place) => {
    const outcome = await place.push(sources, flags.note);
    if (outcome.kind !== 'proposed') return refusePush(outcome, flags, context);
    const { kind, set, added, changed, same } = outcome.pushed;
    const counts = `${added.length} added, ${changed.length} changed, ${same.length} the same`;
    if (flags.json) context.stdout.write(`${JSON.stringify(outcome.pushed)}\n`);
    else if (kind === 'in-force') context.stdout.write(`set ${set} is in force: ${counts}\n`);
    else
      context.stdout.write(
        `proposed: ${counts}; set ${set} stays in force${flags.activate || added.length + changed.length === 0 ? '' : ' until a second person activates them: huqi patterns activate ID'}\n`,
      );
    if (flags.activate && flags.to !== undefined)
      await activateAll(place, remotePlace(flags.to, approver, 'decides', context), sources, flags, context);
  });
}

function refusePush(outcome: Awaited<ReturnType<PatternPlace['push']>>, flags: PushFlags, context: CommandContext): void {
  if (flags.json || outcome.kind !== 'broken') return tell(outcome, flags, context);
  context.setExitCode(1);
  const lines = outcome.errors.map(({ pointer, detail }) => (pointer ? `${pointer}: ${detail}` : detail));
  context.stderr.write(`${lines.join('\n')}\nnothing was pushed; the set in force stays\n`);
}

/** What of the files waits for a decision is decided by the second person. */
async function activateAll(
  place: PatternPlace,
  approver: PatternPlace,
  sources: readonly PatternSource[],
  flags: PushFlags,
  context: CommandContext,
): Promise<void> {
  const pushed = sources.flatMap(({ text, file }) => {
    const result = parsePattern(text, file);
    return result.kind === 'parsed' ? [result.parsed.pattern] : [];
  });
  const { items } = await place.list();
  for (const { id, version } of pushed) {
    const item = items.find((one) => one.id === id && one.version === version);
    if (!item || item.state === 'active') continue;
    const outcome = await approver.command({ kind: 'activate', pattern: id, version }, flags.note);
    tell(outcome, flags, context);
    if (outcome.kind !== 'done') return;
  }
}

async function readAll(paths: readonly string[]): Promise<PatternSource[]> {
  return (await Promise.all(paths.map(readPatternFiles))).flat();
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
