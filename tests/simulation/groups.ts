import { keepReopening } from '../../src/adapters/log/reopening.js';
import type { Log, Membership, PartitionProcessor, Topic } from '../../src/ports/log.js';
import type { LogServer } from './log.js';
import { work, type Loop } from './member-loop.js';
import type { Incarnation, World } from './world.js';

type Open = (partition: number) => Promise<PartitionProcessor>;

/** The broker's side of consumer groups: who owns which partition, as far as the groups know. */
export interface Groups {
  join(owner: Incarnation, log: Log, group: string, topic: Topic, open: Open): Promise<Membership>;
  /** Its memberships end for the groups at once; it does not know yet, goes on, notices later and joins again. */
  cutOff(owner: Incarnation): void;
  /** A process that has died, or stands still: the groups notice after a while. */
  missed(owner: Incarnation, noticedInMs: number): void;
  /** Whether the group gives the partition to another process. */
  isReplaced(owner: Incarnation, group: string, topic: Topic, partition: number): boolean;
  /** Partitions change hands for no reason. */
  shuffle(): void;
  /** Every partition has an owner that waits at its end. */
  isDrained(): boolean;
  describeBacklog(): string;
}

interface Member {
  readonly owner: Incarnation;
  readonly group: Group;
  readonly log: Log;
  readonly open: Open;
  readonly loops: Map<number, Loop>;
  status: 'joined' | 'cut off' | 'left';
  fault?: { readonly error: unknown };
  readonly settle: () => void;
}

interface Group {
  readonly name: string;
  readonly topic: Topic;
  readonly members: Set<Member>;
  /** Who works on a partition, or must stop first. */
  readonly holders: Map<number, Member>;
  readonly wanted: Map<number, Member>;
  readonly revoking: Set<number>;
  /** Counts assignments: an order that was overtaken by another is void. */
  readonly terms: Map<number, number>;
}

export function createGroups(world: World, server: LogServer, onTrouble: (owner: Incarnation, error: unknown) => void): Groups {
  const groups = new Map<string, Group>();

  const partitionsOf = ({ topic }: Group) => Array.from({ length: server.partitions(topic) }, (_, p) => p);
  const membersOf = (owner: Incarnation): Member[] =>
    [...groups.values()].flatMap(({ members }) => [...members].filter((member) => member.owner === owner));

  function groupOf(name: string, topic: Topic): Group {
    const key = `${name}/${topic}`;
    let group = groups.get(key);
    if (!group)
      groups.set(
        key,
        (group = {
          name: key,
          topic,
          members: new Set(),
          holders: new Map(),
          wanted: new Map(),
          revoking: new Set(),
          terms: new Map(),
        }),
      );
    return group;
  }

  /** Balanced within one; who had a partition keeps it unless `isShuffled`. */
  function rebalance(group: Group, isShuffled = false): void {
    const members = [...group.members];
    const partitions = partitionsOf(group);
    group.wanted.clear();
    if (members.length === 0) return;
    const shares = new Map(members.map((member) => [member, 0]));
    const most = Math.ceil(partitions.length / members.length);
    const give = (p: number, member: Member): void => {
      group.wanted.set(p, member);
      shares.set(member, shares.get(member)! + 1);
    };
    for (const p of partitions) {
      const holder = group.holders.get(p);
      if (!isShuffled && holder && (shares.get(holder) ?? most) < most) give(p, holder);
    }
    for (const p of partitions) {
      if (group.wanted.has(p)) continue;
      const least = Math.min(...shares.values());
      give(p, world.pick(members.filter((member) => shares.get(member) === least)));
    }
    for (const p of partitions) assign(group, p);
  }

  function assign(group: Group, p: number): void {
    const wanted = group.wanted.get(p);
    const holder = group.holders.get(p);
    if (!wanted || wanted === holder) return;
    if (!holder) {
      group.holders.set(p, wanted);
      const term = (group.terms.get(p) ?? 0) + 1;
      group.terms.set(p, term);
      world.trace(`${group.name}/${p} goes to ${wanted.owner.name}`);
      world.schedule(wanted.owner, world.latencyMs(), () => start(wanted, p, term), true);
      return;
    }
    if (group.revoking.has(p)) return;
    group.revoking.add(p);
    const term = group.terms.get(p);
    const revoke = (): void => {
      if (group.terms.get(p) !== term) return;
      const loop = holder.loops.get(p);
      if (loop?.inBatch) world.count('a partition was taken away amid a batch');
      loop?.stop.abort();
      // Without a loop the order to begin is still under way, and is void.
      const ended = (group.terms.get(p) ?? 0) + 1;
      group.terms.set(p, ended);
      const released = (): void => void world.schedule(null, world.latencyMs(), () => release(group, p, ended), true);
      if (loop) void loop.ended.then(released);
      else released();
    };
    world.schedule(holder.owner, world.latencyMs(), revoke, true);
  }

  function release(group: Group, p: number, term: number): void {
    if (group.terms.get(p) !== term) return;
    group.revoking.delete(p);
    group.holders.delete(p);
    assign(group, p);
  }

  /** The group goes on without it, whatever it does. */
  function expel(member: Member): void {
    const { group } = member;
    if (!group.members.delete(member)) return;
    member.status = 'cut off';
    world.trace(`${group.name} goes on without ${member.owner.name}`);
    for (const [p, holder] of group.holders) {
      if (holder === member) forget(group, p);
    }
    rebalance(group);
  }

  function forget(group: Group, p: number): void {
    group.holders.delete(p);
    group.revoking.delete(p);
    group.terms.set(p, (group.terms.get(p) ?? 0) + 1);
  }

  /** It learns that it was cut off: gives up what it has, and joins again. */
  function notice(member: Member): void {
    if (member.status !== 'cut off') return;
    world.trace(`${member.group.name}: ${member.owner.name} notices that it is no member`);
    const ending = [...member.loops.values()];
    for (const loop of ending) loop.stop.abort();
    void Promise.all(ending.map(({ ended }) => ended)).then(() => {
      world.schedule(member.owner, world.latencyMs(), () => enter(member), true);
    });
  }

  function enter(member: Member): void {
    if (member.status === 'left') return;
    member.status = 'joined';
    member.group.members.add(member);
    rebalance(member.group);
  }

  function start(member: Member, p: number, term: number): void {
    if (member.group.holders.get(p) !== member || member.group.terms.get(p) !== term) return;
    const before = member.loops.get(p)?.ended ?? Promise.resolve();
    const loop: Loop = {
      stop: new AbortController(),
      position: undefined,
      isOpen: false,
      isIdle: false,
      inBatch: false,
      ended: before,
    };
    member.loops.set(p, loop);
    loop.ended = before
      .then(() =>
        keepReopening({
          signal: loop.stop.signal,
          work: (progressed) => work({ topic: member.group.topic, log: member.log, open: member.open }, p, loop, progressed),
          onTrouble: (error) => onTrouble(member.owner, error),
        }),
      )
      .catch((error: unknown) => {
        member.fault ??= { error };
        // Not in this turn: leaving waits for this very loop.
        queueMicrotask(() => void leave(member));
      })
      .finally(() => {
        if (member.loops.get(p) === loop) member.loops.delete(p);
      });
  }

  async function leave(member: Member): Promise<void> {
    const { group } = member;
    const loops = [...member.loops.values()];
    for (const loop of loops) loop.stop.abort();
    await Promise.all(loops.map(({ ended }) => ended));
    member.status = 'left';
    group.members.delete(member);
    for (const [p, holder] of group.holders) {
      if (holder === member) forget(group, p);
    }
    rebalance(group);
    member.settle();
  }

  function backlog(): string[] {
    const behind: string[] = [];
    for (const group of groups.values()) {
      for (const p of partitionsOf(group)) {
        const holder = group.holders.get(p);
        // Of whoever has died the group does not know yet: it stands still, and is not at rest.
        const loop = holder?.owner.isDead ? undefined : holder?.loops.get(p);
        const end = server.records(group.topic, p).length;
        if (!loop?.isOpen || !loop.isIdle || loop.position !== end)
          behind.push(
            `${group.name}/${p} of ${holder?.owner.name} ${loop ? `at ${loop.position} of ${end}${loop.isOpen ? '' : ', not open'}` : 'has no owner'}`,
          );
      }
    }
    return behind;
  }

  return {
    join(owner, log, name, topic, open) {
      const group = groupOf(name, topic);
      return new Promise((resolve) => {
        let settle: () => void = () => undefined;
        const done = new Promise<void>((ok, failed) => {
          settle = () => (member.fault ? failed(member.fault.error) : ok());
        });
        done.catch(() => undefined);
        const member: Member = { owner, group, log, open, loops: new Map(), status: 'left', settle: () => settle() };
        world.schedule(
          owner,
          world.latencyMs(),
          () => {
            member.status = 'joined';
            group.members.add(member);
            rebalance(group);
            resolve({
              done,
              lag: () => Promise.resolve(0),
              owned: () => [...member.loops].map(([partition, { isOpen }]) => ({ partition, isOpen })),
              leave: async () => {
                await leave(member);
                await done.catch(() => undefined);
              },
            });
          },
          true,
        );
      });
    },
    cutOff(owner) {
      for (const member of membersOf(owner)) {
        expel(member);
        world.schedule(owner, world.between(100, 20_000), () => notice(member));
      }
    },
    missed(owner, noticedInMs) {
      world.schedule(null, noticedInMs, () => {
        if (!owner.isDead && owner.pausedUntilMs <= world.nowMs()) return;
        for (const member of membersOf(owner)) {
          expel(member);
          world.schedule(owner, world.between(1, 3_000), () => notice(member));
        }
      });
    },
    isReplaced(owner, name, topic, partition) {
      const holder = groups.get(`${name}/${topic}`)?.holders.get(partition);
      return holder !== undefined && holder.owner !== owner;
    },
    shuffle() {
      for (const group of groups.values()) rebalance(group, true);
    },
    isDrained: () => backlog().length === 0,
    describeBacklog: () => backlog().join('; '),
  };
}
