/** A remedy for a misspelt name. */

/** `; did you mean "…"?` where a known name is close. */
export function nearest(name: string, known: readonly string[]): string {
  const scored = known.map((candidate) => ({ candidate, distance: editDistance(name, candidate) }));
  scored.sort((a, b) => a.distance - b.distance);
  const longer = known.find((candidate) => name.length >= 3 && candidate.startsWith(name));
  if (longer) return `; did you mean "${longer}"?`;
  const [best] = scored;
  // A name of one or two letters is near to everything.
  if (best && best.distance < name.length && best.distance <= Math.max(2, name.length / 3))
    return `; did you mean "${best.candidate}"?`;
  return known.length > 0 && known.length <= 12 ? `; known are ${known.join(', ')}` : '';
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
  }
  return row[b.length]!;
}
