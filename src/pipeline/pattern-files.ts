import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PatternSource } from '../scoring/pattern-set.js';

/** Files that are no UTF-8 would go into force with their Chinese destroyed. */
export class NotUtf8 extends Error {
  readonly retriable = false;
  constructor(files: readonly string[]) {
    super(`${files.join(', ')}: not UTF-8 (GBK, perhaps); save as UTF-8 and try again`);
    this.name = 'NotUtf8';
  }
}

/** The pattern files of a directory, or one file. Throws the file system's error for a path that is not there, and `NotUtf8`. */
export async function readPatternFiles(path: string): Promise<PatternSource[]> {
  if (/\.ya?ml$/.test(path)) return decoded([{ file: path, bytes: await readFile(path) }], '');
  const names = (await readdir(path)).filter((name) => /\.ya?ml$/.test(name)).toSorted();
  return decoded(await Promise.all(names.map(async (file) => ({ file, bytes: await readFile(join(path, file)) }))), path);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decoded(files: readonly { readonly file: string; readonly bytes: Uint8Array }[], directory: string): PatternSource[] {
  const strange: string[] = [];
  const sources = files.flatMap(({ file, bytes }): PatternSource[] => {
    try {
      return [{ file, text: decoder.decode(bytes) }];
    } catch {
      strange.push(join(directory, file));
      return [];
    }
  });
  if (strange.length > 0) throw new NotUtf8(strange);
  return sources;
}
