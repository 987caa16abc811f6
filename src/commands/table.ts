/** Columns padded to their widest cell; the first column is text, the others are right-aligned unless they hold words. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(width(title), ...rows.map((row) => width(row[column] ?? ''))));
  const isNumber = head.map((_, column) => rows.every((row) => /^[\d.,%–\s]*(ms)?$/.test(row[column] ?? '')));
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, column) => (isNumber[column] ? pad(widths[column]! - width(cell)) + cell : cell + pad(widths[column]! - width(cell)))).join('  ')}`.trimEnd();
  return [line(head), `  ${widths.map((wide) => '─'.repeat(wide)).join('  ')}`, ...rows.map(line)].join('\n');
}

function pad(count: number): string {
  return ' '.repeat(Math.max(0, count));
}

/** Chinese characters take two columns of a terminal. */
function width(text: string): number {
  let columns = 0;
  for (const character of text)
    columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(character)
      ? 2
      : 1;
  return columns;
}
