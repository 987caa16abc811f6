import type { Command } from 'commander';
import type { LifeEntry, PatternDiff } from '../domain/pattern-views.js';
import type { DeskOutcome } from '../pipeline/pattern-desk.js';
import type { StoreCommand } from '../pipeline/pattern-store.js';
import { type CommandContext, CommandFailure, wholeNumber } from './context.js';
import { type PatternPlace, patternNamed, type PlaceFlags, withPlace, withPlaceOptions } from './pattern-place.js';
import { table } from './table.js';

interface DecideFlags extends PlaceFlags {
  readonly note?: string;
}

const decideHelp = (example: string, more: string): string => `
${more}

Examples:
${example}

Exit codes: 0 done, 1 refused, 2 wrong arguments.`;

/** `huqi patterns shadow | activate | retire | rollback | diff | log`: what becomes of a pattern, and what became of it. */
export function registerLife(patterns: Command, context: CommandContext): void {
  const decide = (name: 'shadow' | 'activate' | 'retire', description: string, more: string, example: string): void => {
    withDecision(patterns.command(name).description(description).argument('<id>', 'such as V01, or one version of it: V01@3'))
      .addHelpText('after', decideHelp(example, more))
      .action((named: string, flags: DecideFlags) =>
        withPlace(flags, 'decides', context, async (place) => {
          const { id, version: asked } = patternNamed(named);
          const version = asked ?? (name === 'activate' ? await candidateOf(place, id) : undefined);
          tell(await place.command({ kind: name, pattern: id, version }, flags.note), flags, context);
        }),
      );
  };
  decide(
    'shadow',
    'Runs a proposal beside what is in force: counted, never warned.',
    'The proposal of the pattern, or the version named, is scored and its hits are kept; nobody is warned.',
    '  $ huqi patterns shadow V01 --to http://127.0.0.1:8080 --key "$HUQI_KEY"\n  $ huqi patterns shadow V01@3 --note "too many hits, watched again"',
  );
  decide(
    'activate',
    'Puts a proposal into force, by a second person.',
    "The key must be another person's than the one who proposed the version. The version in force until then is retired.",
    '  $ huqi patterns diff V01 --to http://127.0.0.1:8080\n  $ huqi patterns activate V01 --to http://127.0.0.1:8080 --key "$HUQI_KEY" --note "a week in shadow, 3 hits, all good"',
  );
  decide(
    'retire',
    'Takes a pattern, or one version of it, out of force.',
    'The active version, or the one named, is not scored any more. Its text and history stay.',
    '  $ huqi patterns retire V01 --to http://127.0.0.1:8080 --key "$HUQI_KEY" --note "replaced by V17"',
  );

  withDecision(
    patterns
      .command('rollback')
      .description('Puts an earlier version, or an earlier set, back into force.')
      .argument('[id]', 'such as V01, or one version of it: V01@3'),
  )
    .option('--set <id>', 'the whole set: its id, or "previous"')
    .addHelpText(
      'after',
      decideHelp(
        '  $ huqi patterns rollback V01 --to http://127.0.0.1:8080 --key "$HUQI_KEY"\n  $ huqi patterns rollback V01@2 --data /srv/huqi --by Li\n  $ huqi patterns rollback --set previous --to http://127.0.0.1:8080 --key "$HUQI_KEY"',
        'Of one pattern: the version that was in force before, or the one named. One person may, unless it was never in force.',
      ),
    )
    .action((named: string | undefined, flags: DecideFlags & { set?: string }) =>
      withPlace(flags, 'decides', context, async (place) => {
        if ((named === undefined) === (flags.set === undefined))
          throw new CommandFailure('name a pattern, or a set with --set ID or --set previous', 2);
        const command: StoreCommand =
          named === undefined
            ? { kind: 'rollback-set', set: flags.set === 'previous' ? undefined : flags.set }
            : { kind: 'rollback', ...rollbackOf(named) };
        tell(await place.command(command, flags.note), flags, context);
      }),
    );

  withPlaceOptions(
    patterns
      .command('diff')
      .description('Shows what differs between versions of a pattern, or between sets.')
      .argument('[id]', 'a pattern; sets otherwise'),
  )
    .option('--from <which>', 'version or set before; what is in force, or the set before, otherwise')
    .option('--until <which>', 'version or set after; what waits for a decision, or the set in force, otherwise')
    .addHelpText(
      'after',
      decideHelp(
        '  $ huqi patterns diff V01\n  $ huqi patterns diff V01 --from 1 --until 3\n  $ huqi patterns diff --from 29a42f11d0c3b7e5',
        'Says first which parameters and whether the condition differ, then shows the lines.',
      ),
    )
    .action((id: string | undefined, flags: PlaceFlags & { from?: string; until?: string }) => diff(id, flags, context));

  withPlaceOptions(
    patterns
      .command('log')
      .description('Lists who changed what and why, newest first.')
      .argument('[id]', 'a pattern; all otherwise'),
  )
    .option('--limit <number>', 'changes to show', '20')
    .option('--before <revision>', 'only changes before this one')
    .addHelpText(
      'after',
      decideHelp(
        '  $ huqi patterns log\n  $ huqi patterns log V01 --limit 100 --json',
        'Every change is kept: pushes, decisions, and what the guard did by itself.',
      ),
    )
    .action((id: string | undefined, flags: PlaceFlags & { limit: string; before?: string }) => log(id, flags, context));
}

function withDecision(command: Command): Command {
  return withPlaceOptions(command)
    .option('--note <text>', 'why, for the record')
    .option('--by <name>', 'who decides, for the record of a data directory; with --to it is the holder of the key');
}

function rollbackOf(named: string): { readonly pattern: string; readonly version: number | undefined } {
  const { id, version } = patternNamed(named);
  return { pattern: id, version };
}

/** The version that waits for a decision: it is named in the request, so that nothing else can come into force by it. */
async function candidateOf(place: PatternPlace, id: string): Promise<number | undefined> {
  const { items } = await place.list();
  const waiting = items.filter((item) => item.id === id && (item.state === 'draft' || item.state === 'shadow'));
  const [only] = waiting;
  if (waiting.length === 1 && only) return only.version;
  if (!items.some((item) => item.id === id)) throw new CommandFailure(`there is no pattern ${id}; huqi patterns list shows them`);
  throw new CommandFailure(
    waiting.length === 0
      ? `${id} has nothing that waits for a decision: push a new version first`
      : `${id} has versions ${waiting.map(({ version }) => version).join(', ')} waiting; name the one that is meant, such as ${id}@${only?.version}`,
  );
}

export function tell(outcome: DeskOutcome, flags: { readonly json?: boolean }, context: CommandContext): void {
  if (outcome.kind !== 'done') context.setExitCode(1);
  if (flags.json) {
    context.stdout.write(`${JSON.stringify(outcome.kind === 'done' ? outcome.entry : outcome)}\n`);
    return;
  }
  switch (outcome.kind) {
    case 'done':
      context.stdout.write(`${movesOf(outcome.entry).join('\n')}\nset ${outcome.entry.set} is in force\n`);
      return;
    case 'broken':
      context.stderr.write(
        `${outcome.errors.map(({ pointer, detail }) => (pointer ? `${pointer}: ${detail}` : detail)).join('\n')}\nnothing was changed; the set in force stays\n`,
      );
      return;
    case 'refused':
    case 'unknown':
      context.stderr.write(`huqi: ${outcome.reason}\n`);
      return;
    case 'proposed':
      return;
  }
}

function movesOf({ moves }: LifeEntry): string[] {
  return moves.map(({ pattern, version, from, to }) => `${pattern} version ${version}: ${from ? `${from} → ` : ''}${to}`);
}

async function diff(
  id: string | undefined,
  flags: PlaceFlags & { from?: string; until?: string },
  context: CommandContext,
): Promise<void> {
  await withPlace(flags, 'reads', context, async (place) => {
    const number = (option: string, text: string | undefined): number | undefined =>
      text === undefined ? undefined : wholeNumber(option, text, 1, 9_999);
    const found =
      id === undefined
        ? await place.diffSets(flags.from, flags.until)
        : await place.diff(id, number('--from', flags.from), number('--until', flags.until));
    if (!found)
      throw new CommandFailure(
        id === undefined
          ? 'there are no two such sets to compare; huqi patterns log shows them'
          : `there is no pattern ${id} with these versions; huqi patterns log ${id} shows them`,
      );
    if (flags.json) {
      context.stdout.write(`${JSON.stringify(found)}\n`);
      return;
    }
    if ('pattern' in found) {
      context.stdout.write(`${describeDiff(found)}\n`);
      return;
    }
    const { from, to, added, removed, changed, states } = found;
    const lines = [
      `set ${from} → ${to}`,
      ...(added.length > 0 ? [`  added: ${added.join(', ')}`] : []),
      ...(removed.length > 0 ? [`  removed: ${removed.join(', ')}`] : []),
      ...states.map((one) => `  ${one.pattern}: ${one.from} → ${one.to}`),
      ...changed.map((one) => `\n${describeDiff(one)}`),
    ];
    context.stdout.write(`${lines.join('\n')}\n`);
  });
}

function describeDiff({ pattern, from, to, condition, params, parts, text }: PatternDiff): string {
  const value = (one: unknown): string => (one === undefined ? '(none)' : JSON.stringify(one));
  const lines = [
    `${pattern} version ${from ?? '(none)'} → ${to ?? '(none)'}`,
    text === '' ? '  the texts are equal' : condition ? '  the condition differs' : '  the condition is the same',
    ...params.map((one) => `  ${one.name}: ${value(one.from)} → ${value(one.to)}`),
    ...(parts.length > 0 ? [`  also: ${parts.join(', ')}`] : []),
  ];
  return text === '' ? lines.join('\n') : `${lines.join('\n')}\n\n${text.trimEnd()}`;
}

async function log(
  id: string | undefined,
  flags: PlaceFlags & { limit: string; before?: string },
  context: CommandContext,
): Promise<void> {
  const limit = wholeNumber('--limit', flags.limit, 1, 500);
  const before = flags.before === undefined ? undefined : wholeNumber('--before', flags.before, 1, 1_000_000_000);
  await withPlace(flags, 'reads', context, async (place) => {
    const found = await place.log({ limit, before, pattern: id });
    if (flags.json) {
      context.stdout.write(`${JSON.stringify(found)}\n`);
      return;
    }
    const rows = found.entries.map((entry) => [
      String(entry.revision),
      entry.at,
      entry.by,
      entry.how,
      movesShown(entry),
      entry.reason ?? entry.note ?? '',
      entry.set,
    ]);
    const more = found.next === null ? '' : `\n\nolder ones: --before ${found.next}`;
    context.stdout.write(`${table(['revision', 'at', 'by', 'how', 'what', 'why', 'set'], rows)}${more}\n`);
  });
}

const movesShownMax = 3;

function movesShown(entry: LifeEntry): string {
  const moves = movesOf(entry);
  const rest = moves.length - movesShownMax;
  return rest > 1 ? `${moves.slice(0, movesShownMax).join('; ')} and ${rest} more` : moves.join('; ');
}
