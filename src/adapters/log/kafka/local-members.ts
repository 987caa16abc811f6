import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

/**
 * Which processes of this machine are members of which groups, so that one that was killed need not be waited for: the group gives
 * its partitions away when its session ends, which takes as long as a network may be silent; whoever shares the machine knows at once
 * that it is gone. Each member is a file of a directory. Where that cannot be written, nobody is known, and sessions end by themselves.
 */
export interface LocalMembers {
  /** This process is that member; to be said again with each sign of life. */
  alive(groupId: string, memberId: string): void;
  /** It has left the group, or was dismissed. */
  left(groupId: string, memberId: string): void;
  /** Members of the group whose processes have certainly ended; `silent`: also those without a sign of life for some seconds. */
  dead(groupId: string, options: { readonly silent: boolean }): string[];
}

/** This process, and none that has its number after it. */
const run = randomUUID();

/** Longer than three signs of life: its process is taken for gone by one that starts, where nothing surer is known. */
const silentMs = 3_500;

const member = z.object({
  groupId: z.string(),
  memberId: z.string(),
  pid: z.int().positive(),
  host: z.string(),
  namespace: z.string(),
  run: z.string(),
});
type Member = z.infer<typeof member>;

export function createLocalMembers(directory: string, now: () => number = Date.now): LocalMembers {
  const here = { host: hostname(), namespace: pidNamespace() };
  /** What a file says never changes. */
  const known = new Map<string, Member>();

  function read(file: string): Member | null {
    const found = known.get(file);
    if (found) return found;
    // Gone in between, or half written by the process that is writing it: it is looked at again.
    const one = attempt(() => member.parse(JSON.parse(readFileSync(join(directory, file), 'utf8'))));
    if (one) known.set(file, one);
    return one ?? null;
  }

  function isSilent(file: string): boolean {
    const stats = attempt(() => statSync(join(directory, file)));
    return stats !== undefined && now() - stats.mtimeMs > silentMs;
  }

  return {
    alive(groupId, memberId) {
      const said: Member = { groupId, memberId, pid: process.pid, ...here, run };
      attempt(() => {
        mkdirSync(directory, { recursive: true });
        writeFileSync(join(directory, fileOf(groupId, memberId)), JSON.stringify(said));
      });
    },
    left(groupId, memberId) {
      const file = fileOf(groupId, memberId);
      known.delete(file);
      attempt(() => rmSync(join(directory, file), { force: true }));
    },
    dead(groupId, { silent }) {
      const files = attempt(() => readdirSync(directory)) ?? [];
      return files.flatMap((file) => {
        const one = read(file);
        // Another machine may share the directory: its clock and its processes say nothing here.
        if (!one || one.groupId !== groupId || one.run === run || one.host !== here.host) return [];
        const hasEnded = one.namespace === here.namespace && (one.pid === process.pid || !isRunning(one.pid));
        return hasEnded || (silent && isSilent(file)) ? [one.memberId] : [];
      });
    },
  };
}

/** Nobody is known. */
export const noLocalMembers: LocalMembers = { alive: () => undefined, left: () => undefined, dead: () => [] };

function fileOf(groupId: string, memberId: string): string {
  return `${createHash('sha256').update(`${groupId}\n${memberId}`).digest('hex').slice(0, 32)}.json`;
}

/** Within which a process's number means that process: containers number their own. */
function pidNamespace(): string {
  return attempt(() => readlinkSync('/proc/self/ns/pid')) ?? '';
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
