import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/**
 * Processors that this process may use: those it is bound to, and no more than the processor time that its control group (the limit
 * of a container) grants, rounded down. Node 20 knows only the first. `root` is where `proc` and `sys` lie.
 */
export function processorsHere(root = '/', bound = availableParallelism()): number {
  return Math.max(1, Math.floor(Math.min(bound, ...quotas(root))));
}

/** Processors' worth of time, of the group and of each above it, in both versions of control groups; none where nobody limits it. */
function quotas(root: string): number[] {
  const groups = (textOf(join(root, 'proc/self/cgroup')) ?? '').split('\n').map((line) => line.split(':'));
  return groups.flatMap(([, controllers, path]) => {
    if (path === undefined || (controllers !== '' && !controllers!.split(',').includes('cpu'))) return [];
    return ancestors(path).flatMap((at) =>
      controllers === ''
        ? quotaOf(textOf(join(root, 'sys/fs/cgroup', at, 'cpu.max')))
        : quotaOf(
            `${textOf(join(root, 'sys/fs/cgroup/cpu', at, 'cpu.cfs_quota_us'))} ${textOf(join(root, 'sys/fs/cgroup/cpu', at, 'cpu.cfs_period_us'))}`,
          ),
    );
  });
}

/** `200000 100000`: microseconds in so many microseconds; `max` and -1 are no limit. */
function quotaOf(text: string | null): number[] {
  const [quota, period] = (text ?? '').split(/\s+/).map(Number);
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? [quota / period] : [];
}

function ancestors(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, count) => parts.slice(0, count).join('/'));
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}
