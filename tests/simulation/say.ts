/** One line for whoever started the simulation. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
