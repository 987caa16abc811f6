import { expect, it } from 'vitest';
import { huqi } from '../support/huqi.js';

it('every command explains itself by examples and tells its exit codes', async () => {
  const { stdout } = await huqi(['--help']);
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
  expect(commands).toContain('patterns');
  const helps = await Promise.all(commands.map(async (name) => [name, (await huqi([name, '--help'])).stdout] as const));
  for (const [name, help] of helps) {
    expect(help, name).toMatch(/\nExamples:\n {2}\$ (.* )?huqi /);
    expect(help, name).toContain('Exit codes: 0 ');
  }
});
