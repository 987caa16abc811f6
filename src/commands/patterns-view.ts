import type { Command } from 'commander';
import type { PatternDetail, PatternItem } from '../domain/pattern-views.js';
import { parsePattern } from '../scoring/pattern.js';
import { type CommandContext, CommandFailure } from './context.js';
import { patternNamed, type PlaceFlags, withPlace, withPlaceOptions } from './pattern-place.js';
import { table } from './table.js';

const listHelp = `
What is in force, in trial and proposed, of a data directory or of a running platform. With --live also what each has done since
the platform started: hits, hits per 1,000 transactions, time of asking it once.

Examples:
  $ huqi patterns list
  $ huqi patterns list --to http://127.0.0.1:8080 --live

Exit codes: 0 done, 1 it cannot be read, 2 wrong arguments.`;

const showHelp = `
Its state, condition and thresholds, what it waits for, and its versions with who proposed and who approved them.

Examples:
  $ huqi patterns show V01
  $ huqi patterns show V01@2 --to http://127.0.0.1:8080
  $ huqi patterns show V01 --text > V01.yaml

Exit codes: 0 done, 1 there is none, 2 wrong arguments.`;

/** `huqi patterns list | show`. */
export function registerViews(patterns: Command, context: CommandContext): void {
  withPlaceOptions(patterns.command('list').description('Lists the patterns: in force, in trial, proposed.'))
    .option('--live', 'with what each has done since the platform started')
    .addHelpText('after', listHelp)
    .action((flags: PlaceFlags & { live?: boolean }) => list(flags, context));
  withPlaceOptions(
    patterns
      .command('show')
      .description('Shows one pattern with its versions.')
      .argument('<id>', 'such as V01, or one version of it: V01@3'),
  )
    .option('--text', 'print the pattern file')
    .addHelpText('after', showHelp)
    .action((named: string, flags: ShowFlags) => show(named, flags, context));
}

interface ShowFlags extends PlaceFlags {
  readonly text?: boolean;
}

async function list(flags: PlaceFlags & { live?: boolean }, context: CommandContext): Promise<void> {
  if (flags.live && flags.to === undefined)
    throw new CommandFailure('--live asks a running platform: give its address with --to', 2);
  await withPlace(flags, 'reads', context, async (place) => {
    const { patternSet, items } = await place.list();
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ patternSet, patterns: items })}\n`);
      return;
    }
    const live = flags.live ? ['hits', 'per 1,000', 'µs', 'faults'] : [];
    const head = ['pattern', 'version', 'state', 'side', 'severity', 'family', 'title', ...live, 'remarks'];
    const rows = items.map((item) => [
      item.id,
      String(item.version),
      item.state,
      item.side,
      item.severity,
      item.family,
      item.title.zh,
      ...(flags.live ? liveCells(item) : []),
      remarksOf(item).join('; '),
    ]);
    context.stdout.write(`${table(head, rows)}\n\nset ${patternSet}\n`);
  });
}

function liveCells({ live }: PatternItem): string[] {
  if (!live) return ['', '', '', ''];
  const number = (value: number | null): string => (value === null ? '–' : value.toFixed(2));
  return [live.hits.toLocaleString('en'), number(live.perThousand), number(live.microseconds), String(live.faults)];
}

function remarksOf({ state, warming, silent, takenBack, proposedBy }: PatternItem): string[] {
  return [
    ...(state === 'draft' && proposedBy !== undefined ? [`proposed by ${proposedBy}`] : []),
    ...(takenBack ? [`taken back by the guard: ${takenBack.reason}`] : []),
    ...(silent === undefined ? [] : [silent]),
    ...(warming ? [warming.until === null ? 'warming: no transactions yet' : `warming until ${warming.until}`] : []),
  ];
}

async function show(named: string, flags: ShowFlags, context: CommandContext): Promise<void> {
  const { id, version } = patternNamed(named);
  await withPlace(flags, 'reads', context, async (place) => {
    const found = await place.get(id, version);
    if (!found)
      throw new CommandFailure(
        version === undefined
          ? `there is no pattern ${id} in force; huqi patterns list shows them`
          : `${id} has no version ${version}; huqi patterns show ${id} names those that there are`,
      );
    const parsed = parsePattern(found.text, id);
    const pattern = parsed.kind === 'parsed' ? parsed.parsed.pattern : null;
    if (flags.text) context.stdout.write(found.text);
    else if (flags.json) context.stdout.write(`${JSON.stringify({ ...pattern, ...found })}\n`);
    else context.stdout.write(`${describe(found, pattern?.params ?? {}, pattern?.story ?? '')}\n`);
  });
}

/** In shadow: what was the only part of the condition that did not hold. */
function nearMissesOf({ live }: PatternDetail): string[] {
  if (!live || live.nearMisses.length === 0) return [];
  const lines = live.nearMisses.map(({ condition, count }) => `  ${count.toLocaleString('en')} times only: ${condition}`);
  return ['did not hold since the platform started:', ...lines, ''];
}

function describe(found: PatternDetail, params: Readonly<Record<string, unknown>>, story: string): string {
  const { id, version, state, title, side, severity, family, audience, condition, advice, versions } = found;
  const remarks = remarksOf(found);
  return [
    `${id} version ${version}, ${state}`,
    `${title.zh} · ${title.en}`,
    ...(remarks.length > 0 ? ['', ...remarks] : []),
    '',
    `${side} side, severity ${severity}, family ${family}, told: ${audience.join(', ')}`,
    '',
    condition,
    '',
    ...nearMissesOf(found),
    ...Object.entries(params).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`),
    '',
    advice.zh,
    '',
    story,
    '',
    ...versions.map(
      (one) =>
        `version ${one.version}, ${one.state}: proposed by ${one.proposed.by} ${one.proposed.at}${one.approved ? `, in force by ${one.approved.by} ${one.approved.at}` : ''}${one.note ? ` (${one.note})` : ''}`,
    ),
  ].join('\n');
}
