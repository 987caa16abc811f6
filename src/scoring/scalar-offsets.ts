/** Where the characters of a YAML scalar stand in the file: quotes, escapes and folded lines move them. */

/** Lengths of the escapes that name a character by its number, behind `\x`, `\u` and `\U`. */
const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const lineBreak = /[ \t]*\r?\n(?:[ \t]*\r?\n)*[ \t]*/y;

/**
 * For each character of the value the offset in `raw`, the scalar as it stands in the file with its quotes; one more for its end. Null
 * where it does not come to a value of that length.
 */
export function scalarOffsets(raw: string, type: 'plain' | 'single' | 'double', valueLength: number): number[] | null {
  const offsets: number[] = [];
  let at = type === 'plain' ? 0 : 1;
  const end = type === 'plain' ? raw.length : raw.length - 1;
  while (at < end) {
    lineBreak.lastIndex = at;
    const folded = lineBreak.exec(raw)?.[0];
    if (folded !== undefined) {
      // One line break becomes a space, each further one stays.
      const breaks = folded.split('\n').length - 1;
      for (let i = 0; i < Math.max(1, breaks - 1); i++) offsets.push(at);
      at += folded.length;
      continue;
    }
    if (type === 'double' && raw[at] === '\\') {
      const escaped = /^\\\r?\n[ \t]*/.exec(raw.slice(at));
      if (escaped) {
        at += escaped[0].length;
        continue;
      }
      const digits = hexDigits[raw[at + 1]!] ?? 0;
      const isPair = digits === 8 && Number.parseInt(raw.slice(at + 2, at + 10), 16) > 0xffff;
      offsets.push(...(isPair ? [at, at] : [at]));
      at += 2 + digits;
      continue;
    }
    offsets.push(at);
    at += type === 'single' && raw.startsWith("''", at) ? 2 : 1;
  }
  offsets.push(end);
  return offsets.length === valueLength + 1 ? offsets : null;
}
