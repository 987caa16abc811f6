import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLocalMembers } from '../../src/adapters/log/kafka/local-members.js';
import { temporaryDirectory } from '../support/embedded.js';

let directory: string;
let base: string;
beforeEach(() => {
  base = temporaryDirectory();
  directory = join(base, 'members');
  mkdirSync(directory);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const group = 'huqi.score.transactions';
/** The number of a process that has ended and was waited for. */
const endedPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

interface Said {
  groupId: string;
  memberId: string;
  pid: number;
  host: string;
  namespace: string;
  run: string;
}

/** A member that another process has put down. */
function putDown(memberId: string, changes: Partial<Said>): void {
  const before = new Set(readdirSync(directory));
  createLocalMembers(directory).alive(group, memberId);
  const file = join(
    directory,
    readdirSync(directory).find((name) => !before.has(name))!,
  );
  const said = JSON.parse(readFileSync(file, 'utf8')) as Said;
  writeFileSync(file, JSON.stringify({ ...said, run: 'another', ...changes }));
}

describe('members of groups on this machine', () => {
  test('a member of this process is not dead, whichever log of it asks', () => {
    createLocalMembers(directory).alive(group, 'own');
    expect(createLocalMembers(directory).dead(group, { silent: true })).toEqual([]);
  });

  test('one whose process has ended is, of its group alone, until it is said to have left', () => {
    const members = createLocalMembers(directory);
    members.alive(group, 'own');
    putDown('killed', { pid: endedPid() });
    expect(members.dead('huqi.warn.hits', { silent: true })).toEqual([]);
    expect(members.dead(group, { silent: false })).toEqual(['killed']);
    members.left(group, 'killed');
    expect(members.dead(group, { silent: true })).toEqual([]);
  });

  test('one that had this process’s number before it is dead too: containers begin with the same', () => {
    const members = createLocalMembers(directory);
    members.alive(group, 'own');
    putDown('before', { pid: process.pid });
    expect(members.dead(group, { silent: false })).toEqual(['before']);
  });

  test('one whose process runs is alive, unless who starts has not heard of it for some seconds', () => {
    let laterMs = 0;
    const members = createLocalMembers(directory, () => Date.now() + laterMs);
    members.alive(group, 'own');
    putDown('running', { pid: process.ppid });
    expect(members.dead(group, { silent: true })).toEqual([]);
    laterMs = 5_000;
    expect(members.dead(group, { silent: false })).toEqual([]);
    expect(members.dead(group, { silent: true })).toEqual(['running']);
  });

  test('of another container nothing is known but its silence', () => {
    let laterMs = 0;
    const members = createLocalMembers(directory, () => Date.now() + laterMs);
    members.alive(group, 'own');
    putDown('elsewhere', { pid: endedPid(), namespace: 'pid:[1]' });
    expect(members.dead(group, { silent: true })).toEqual([]);
    laterMs = 5_000;
    expect(members.dead(group, { silent: true })).toEqual(['elsewhere']);
  });

  test('of another machine that shares the directory nothing is known at all', () => {
    const members = createLocalMembers(directory, () => Date.now() + 60_000);
    members.alive(group, 'own');
    putDown('far', { pid: endedPid(), host: 'another' });
    expect(members.dead(group, { silent: true })).toEqual([]);
  });

  test('signs of life end a silence', () => {
    const members = createLocalMembers(directory);
    members.alive(group, 'own');
    const file = join(directory, readdirSync(directory)[0]!);
    const longAgo = Date.now() / 1_000 - 60;
    utimesSync(file, longAgo, longAgo);
    members.alive(group, 'own');
    expect(Date.now() - statSync(file).mtimeMs).toBeLessThan(5_000);
    members.left(group, 'own');
    expect(readdirSync(directory)).toEqual([]);
  });

  test('files that say nothing, and a directory that cannot be made, are no trouble', () => {
    const members = createLocalMembers(directory);
    members.alive(group, 'own');
    writeFileSync(join(directory, 'half.json'), '{"groupId": "huqi');
    writeFileSync(join(directory, 'other.json'), '{"x": 1}');
    expect(members.dead(group, { silent: true })).toEqual([]);
    const nowhere = createLocalMembers(join(directory, 'half.json', 'beneath-a-file'));
    nowhere.alive(group, 'own');
    expect(nowhere.dead(group, { silent: true })).toEqual([]);
    nowhere.left(group, 'own');
  });
});
