import type { Command } from 'commander';
import { openKeys } from '../app.js';
import { keyRoles } from '../pipeline/keys.js';
import { loadSettings } from '../settings.js';
import { type CommandContext, CommandFailure } from './context.js';
import { table } from './table.js';

interface Flags {
  readonly config?: string;
  readonly data?: string;
  readonly json?: boolean;
}

const help = `
Keys open the HTTP interface. Give each person one of their own, under their own name: a changed pattern comes into force by the
keys of two different holders. A running platform knows a new key, and forgets a removed one, within a minute.

Examples:
  $ huqi keys add "Li Wei" --role centre
  $ huqi keys add "ICBC Zhengzhou" --role bank --bank 102491002011
  $ huqi keys list
  $ huqi keys remove 3f9a0c1b2d4e

Exit codes: 0 done, 1 it failed, 2 wrong arguments.`;

/** `huqi keys add | list | remove`: who may use the HTTP interface. */
export function registerKeys(program: Command, context: CommandContext): void {
  const keys = program
    .command('keys')
    .summary('make, list and remove API keys')
    .description('The API keys of a data directory; only their hashes are kept.')
    .addHelpText('after', help);
  const onDirectory = (command: Command): Command =>
    command
      .option('--data <directory>', 'data directory of the platform')
      .option('--config <file>', 'settings that differ from the defaults')
      .option('--json', 'print as JSON');
  const open = (flags: Flags) =>
    openKeys(
      loadSettings({ file: flags.config, env: context.env, overrides: flags.data === undefined ? {} : { dataDir: flags.data } }),
      context.clock,
    );

  onDirectory(keys.command('add').description('Makes a key; it is shown this once.').argument('<name>', 'whose key it is'))
    .requiredOption('--role <role>', `one of ${keyRoles.join(', ')}`)
    .option('--bank <number>', 'of a bank: the bank number it reports for, or *')
    .action(async (name: string, flags: Flags & { role: string; bank?: string }) => {
      const role = keyRoles.find((known) => known === flags.role);
      if (!role) throw new CommandFailure(`--role ${flags.role}: expected one of ${keyRoles.join(', ')}`, 2);
      if ((role === 'bank') !== (flags.bank !== undefined))
        throw new CommandFailure("a bank's key names its bank with --bank NUMBER (or *), and only a bank's key does", 2);
      const opened = await open(flags);
      try {
        const made = await opened.keys.make({ name, role, ...(flags.bank === undefined ? {} : { bank: flags.bank }) });
        context.stdout.write(flags.json ? `${JSON.stringify(made)}\n` : `${made.key}\n`);
      } finally {
        await opened.close();
      }
    });

  onDirectory(keys.command('list').description('Lists the keys: whose, for what, since when.')).action(async (flags: Flags) => {
    const opened = await open(flags);
    try {
      const known = await opened.keys.list();
      const rows = known.map(({ id, name, role, bank, createdAt }) => [id, name, role, bank ?? '', createdAt]);
      context.stdout.write(
        flags.json ? `${JSON.stringify(known)}\n` : `${table(['id', 'name', 'role', 'bank', 'made'], rows)}\n`,
      );
    } finally {
      await opened.close();
    }
  });

  onDirectory(keys.command('remove').description('Makes a key invalid.').argument('<id>', 'as huqi keys list shows it')).action(
    async (id: string, flags: Flags) => {
      const opened = await open(flags);
      try {
        if (!(await opened.keys.remove(id))) throw new CommandFailure(`there is no key ${id}; huqi keys list shows them`);
        context.stdout.write(flags.json ? `${JSON.stringify({ removed: id })}\n` : `removed ${id}\n`);
      } finally {
        await opened.close();
      }
    },
  );
}
