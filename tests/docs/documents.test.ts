import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const documents = ['README.md', 'README.zh-CN.md', ...markdownIn('docs'), ...markdownIn('docs/decisions')];

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `${folder}/${file}`);
}

describe.each(documents)('%s', (document) => {
  const text = readFileSync(join(root, document), 'utf8');

  it('links to files and headings that are there', () => {
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
    const own = targets.filter((target) => !/^[a-z]+:/.test(target));
    expect(own.filter((target) => !isThere(document, target))).toEqual([]);
  });

  it('names tests, sources and settings files that are there', () => {
    const named = [...text.matchAll(/`((?:src|tests|config)\/[\w./-]+)`/g)].map((match) => match[1] ?? '');
    expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('says where `huqi simulate` writes to', () => {
    const commands = [...text.matchAll(/npx huqi simulate [^`\n]*/g)].map(([command]) => command);
    expect(commands.filter((command) => !/ --out \S/.test(command))).toEqual([]);
  });
});

function isThere(document: string, target: string): boolean {
  const [file = '', heading] = target.split('#');
  const path = file === '' ? join(root, document) : join(root, dirname(document), file);
  if (!existsSync(path)) return false;
  if (heading === undefined) return true;
  const headings = [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1] ?? ''));
  return headings.includes(heading);
}

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
