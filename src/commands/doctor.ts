import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import type { Command } from 'commander';
import { checkParts } from '../app.js';
import { loadSettings } from '../settings.js';
import type { CommandContext } from './context.js';
import { plainReason } from './context.js';
import { readPatterns } from './files.js';
import { join } from 'node:path';

interface Flags {
  readonly config?: string;
  readonly data?: string;
  readonly json?: boolean;
}

interface Finding {
  readonly check: string;
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly detail: string;
}

const help = `
Looks at the machine, the settings, the patterns and the parts, and says for each what is wrong and what to do. Nothing is
changed; it may run beside a running platform.

Examples:
  $ huqi doctor
  $ huqi doctor --data /srv/huqi --json

Exit codes: 0 nothing is bad, 1 something is, 2 wrong arguments.`;

/** `huqi doctor`: checks the installation and says the remedy. */
export function registerDoctor(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .summary('check the installation')
    .description('Checks the installation: Node, settings, patterns, data directory, disk, the embedded engine.')
    .option('--config <file>', 'settings that differ from the defaults')
    .option('--data <directory>', 'data directory')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', help)
    .action((flags: Flags) => runDoctor(flags, context));
}

const nodeMajorMin = 20;
const diskFreeBytesMin = 2 * 2 ** 30;
const memoryBytesMin = 2 * 2 ** 30;
const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

async function runDoctor(flags: Flags, context: CommandContext): Promise<void> {
  const findings: Finding[] = [];
  const look = async (check: string, work: () => Promise<Omit<Finding, 'check'>>): Promise<void> => {
    findings.push({
      check,
      ...(await work().catch((error: unknown) => ({ verdict: 'bad' as const, detail: plainReason(error) }))),
    });
  };
  await look('Node', () => Promise.resolve(checkNode(context.nodeVersion)));
  let dataDir: string | undefined = flags.data;
  await look('settings', async () => {
    const settings = loadSettings({
      file: flags.config,
      env: context.env,
      overrides: flags.data === undefined ? {} : { dataDir: flags.data },
    });
    dataDir = settings.dataDir;
    findings.push(...(await checkParts(settings)));
    return { verdict: 'good', detail: `data in ${settings.dataDir}, port ${settings.http.port}` };
  });
  await look('patterns', async () => {
    const { set } = await readPatterns(join(context.paths.config, 'patterns'), context);
    return { verdict: 'good', detail: `${set.patterns.length} patterns load` };
  });
  await look('disk', async () => {
    const { bavail, bsize } = await statfs(dataDir ?? '.').catch(() => statfs('.'));
    const free = bavail * bsize;
    return free < diskFreeBytesMin
      ? { verdict: 'bad', detail: `${gib(free)} free; make room, or move the data directory (--data, HUQI_DATA_DIR)` }
      : { verdict: 'good', detail: `${gib(free)} free` };
  });
  await look('memory', () =>
    Promise.resolve(
      totalmem() < memoryBytesMin
        ? { verdict: 'doubtful' as const, detail: `${gib(totalmem())}; a busy platform wants ${gib(memoryBytesMin)} or more` }
        : { verdict: 'good' as const, detail: gib(totalmem()) },
    ),
  );
  if (findings.some(({ verdict }) => verdict === 'bad')) context.setExitCode(1);
  if (flags.json) {
    context.stdout.write(`${JSON.stringify({ ok: findings.every(({ verdict }) => verdict !== 'bad'), findings })}\n`);
    return;
  }
  const signs = { good: '✓', doubtful: '!', bad: '✗' } as const;
  for (const { check, verdict, detail } of findings) context.stdout.write(`${signs[verdict]} ${check.padEnd(12)} ${detail}\n`);
}

function checkNode(version: string): Omit<Finding, 'check'> {
  const major = Number(version.replace(/^v/, '').split('.')[0]);
  return major < nodeMajorMin
    ? { verdict: 'bad', detail: `${version}; install Node ${nodeMajorMin} or newer` }
    : { verdict: 'good', detail: version };
}
