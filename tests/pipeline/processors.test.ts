import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { processorsHere } from '../../src/pipeline/processors.js';
import { temporaryDirectory } from '../support/embedded.js';

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

function machine(files: Readonly<Record<string, string>>): string {
  const root = temporaryDirectory();
  roots.push(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), `${text}\n`);
  }
  return root;
}

const second = (path: string) => `12:memory:/elsewhere\n0::${path}`;
const first = (path: string) => `5:cpuset:/\n4:cpu,cpuacct:${path}\n1:name=systemd:/`;

describe('the processors of a process', () => {
  test.each<[string, Readonly<Record<string, string>>, number]>([
    ['nobody limits it', {}, 8],
    ['a container may use three', { 'proc/self/cgroup': second('/'), 'sys/fs/cgroup/cpu.max': '300000 100000' }, 3],
    ['two and a half are two', { 'proc/self/cgroup': second('/'), 'sys/fs/cgroup/cpu.max': '250000 100000' }, 2],
    ['half of one is one', { 'proc/self/cgroup': second('/'), 'sys/fs/cgroup/cpu.max': '50000 100000' }, 1],
    ['more than there are', { 'proc/self/cgroup': second('/'), 'sys/fs/cgroup/cpu.max': '6400000 100000' }, 8],
    ['no limit is written down', { 'proc/self/cgroup': second('/'), 'sys/fs/cgroup/cpu.max': 'max 100000' }, 8],
    [
      'a group above it has the limit',
      {
        'proc/self/cgroup': second('/kube/pod/huqi'),
        'sys/fs/cgroup/kube/pod/cpu.max': '400000 100000',
        'sys/fs/cgroup/kube/pod/huqi/cpu.max': 'max 100000',
      },
      4,
    ],
    [
      'the first version of control groups',
      {
        'proc/self/cgroup': first('/docker/huqi'),
        'sys/fs/cgroup/cpu/docker/huqi/cpu.cfs_quota_us': '150000',
        'sys/fs/cgroup/cpu/docker/huqi/cpu.cfs_period_us': '50000',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
      },
      3,
    ],
    ['what nobody can read', { 'proc/self/cgroup': `nonsense\n${second('/')}`, 'sys/fs/cgroup/cpu.max': 'many of them' }, 8],
  ])('%s', (_, files, expected) => {
    expect(processorsHere(machine(files), 8)).toBe(expected);
  });

  test('here there is at least one, and no more than it is bound to', () => {
    expect(processorsHere()).toBeGreaterThanOrEqual(1);
    expect(processorsHere()).toBeLessThanOrEqual(availableParallelism());
  });
});
