import type { Command } from 'commander';
import { patternFileSchema, completions } from '../scoring/completion.js';
import { registerBacktest } from './backtest.js';
import type { CommandContext } from './context.js';
import { registerFiles } from './patterns-files.js';
import { registerLife } from './patterns-life.js';
import { registerViews } from './patterns-view.js';
import { table } from './table.js';

const help = `
Each command has --help of its own. With --to and --key they act on a running platform, with --data on a data directory.

Examples:
  $ huqi patterns check my-patterns/
  $ huqi patterns push my-patterns/V01.yaml --to http://127.0.0.1:8080 --key "$HUQI_KEY" --note "smaller amounts too"
  $ huqi patterns activate V01 --to http://127.0.0.1:8080 --key "$HUQI_APPROVER_KEY"
  $ huqi patterns list
  $ huqi patterns log V01

Exit codes: 0 done, 1 refused, 2 wrong arguments.`;

const completeHelp = `
Fields, functions and streams of the language, with types, usage and meaning, for an editor's completion.

Examples:
  $ huqi patterns complete
  $ huqi patterns complete --json > huqi-completion.json

Exit codes: 0 done, 2 wrong arguments.`;

const schemaHelp = `
The JSON schema (draft 2020-12) of a pattern file; editors check and complete YAML by it.

Examples:
  $ huqi patterns schema > huqi-pattern.schema.json

Exit codes: 0 done, 2 wrong arguments.`;

/** `huqi patterns …`: the fraud patterns, as files, in a data directory and in a running platform. */
export function registerPatterns(program: Command, context: CommandContext): void {
  const patterns = program
    .command('patterns')
    .summary('the life of fraud patterns')
    .description('The fraud patterns: data in the state store, seeded from config/patterns.')
    .addHelpText('after', help);
  registerFiles(patterns, context);
  registerViews(patterns, context);
  registerLife(patterns, context);
  registerBacktest(patterns, context);

  patterns
    .command('complete')
    .description('Prints what an editor may complete in a pattern file.')
    .option('--json', 'print as JSON')
    .addHelpText('after', completeHelp)
    .action(({ json }: { json?: boolean }) => {
      const items = completions();
      context.stdout.write(
        json
          ? `${JSON.stringify(items, null, 2)}\n`
          : `${table(
              ['label', 'kind', 'detail', 'meaning'],
              items.map(({ label, kind, detail, documentation }) => [label, kind, detail, documentation]),
            )}\n`,
      );
    });
  patterns
    .command('schema')
    .description('Prints the JSON schema of a pattern file.')
    .addHelpText('after', schemaHelp)
    .action(() => {
      context.stdout.write(`${JSON.stringify(patternFileSchema(), null, 2)}\n`);
    });
}
