import { setImmediate as nextTurn } from 'node:timers/promises';
import type {
  Log,
  LogBatch,
  Membership,
  OnTrouble,
  OwnedPartition,
  PartitionProcessor,
  ReadLimit,
  Topic,
} from '../../ports/log.js';
import { createReadRoom, type ReadRoom } from './read-room.js';
import { keepReopening, watchFailed } from './reopening.js';

type Open = (partition: number) => Promise<PartitionProcessor>;
type ReadableLog = Pick<Log, 'partitions' | 'bounds' | 'waitFor'> & {
  read(topic: Topic, partition: number, from: number, limit: ReadLimit, room?: ReadRoom): Promise<LogBatch>;
};
type NoteCommitted = (group: string, topic: Topic, partition: number, offset: number) => void;

interface Member {
  readonly open: Open;
  readonly resolve: () => void;
  readonly reject: (fault: unknown) => void;
  fault?: { readonly error: unknown };
}

interface Loop {
  readonly owner: Member;
  readonly stop: AbortController;
  /** Where the loop reads next; undefined until its processor was open once. */
  position: number | undefined;
  isOpen: boolean;
  /** Resolves when the processor is closed and nothing more will be processed; never rejects. */
  ended: Promise<void>;
}

interface Group {
  readonly id: string;
  readonly topic: Topic;
  readonly members: Member[];
  readonly loops: Map<number, Loop>;
  /** Rebalances run one after the other. */
  rebalancing: Promise<void>;
}

const idleWaitMs = 60_000;

/** Consumer groups among the members of one process: each partition has one loop, owned by one member. */
export function createConsumerGroups(log: ReadableLog, noteCommitted: NoteCommitted, onTrouble: OnTrouble) {
  const groups = new Map<string, Group>();
  const leavers = new Set<() => Promise<void>>();

  async function join(id: string, topic: Topic, open: Open): Promise<Membership> {
    const group = groupOf(id, topic);
    let resolve: () => void = () => undefined;
    let reject: (fault: unknown) => void = () => undefined;
    const done = new Promise<void>((ok, failed) => {
      resolve = ok;
      reject = failed;
    });
    // A fault that comes before the caller looks must not end the process; it is kept for the caller.
    done.catch(() => undefined);
    const member: Member = { open, resolve, reject };
    const leave = async () => {
      leavers.delete(leave);
      await remove(group, member);
      await done.catch(() => undefined);
    };
    leavers.add(leave);
    group.members.push(member);
    await rebalance(group);
    return { done, leave, lag: () => lagOf(group, member), owned: () => ownedBy(group, member) };
  }

  function groupOf(id: string, topic: Topic): Group {
    const key = `${id}/${topic}`;
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { id, topic, members: [], loops: new Map(), rebalancing: Promise.resolve() }));
    return group;
  }

  /** Hands partition `p` to member `p mod members`. A partition changes hands only after its old owner has closed it. */
  function rebalance(group: Group): Promise<void> {
    group.rebalancing = group.rebalancing.then(async () => {
      const ownerOf = (partition: number) => group.members[partition % group.members.length];
      const leaving = [...group.loops].filter(([partition, loop]) => loop.owner !== ownerOf(partition));
      for (const [, loop] of leaving) loop.stop.abort();
      await Promise.all(leaving.map(([, loop]) => loop.ended));
      for (const [partition] of leaving) group.loops.delete(partition);
      for (let partition = 0; partition < log.partitions(group.topic); partition++) {
        const owner = ownerOf(partition);
        if (owner && !group.loops.has(partition)) group.loops.set(partition, start(group, partition, owner));
      }
    });
    return group.rebalancing;
  }

  /** Ends a membership once all its processors are closed; with a fault, `done` tells it. */
  async function remove(group: Group, member: Member): Promise<void> {
    const at = group.members.indexOf(member);
    if (at >= 0) group.members.splice(at, 1);
    await rebalance(group);
    if (member.fault) member.reject(member.fault.error);
    else member.resolve();
  }

  function start(group: Group, partition: number, owner: Member): Loop {
    const loop: Loop = { owner, stop: new AbortController(), position: undefined, isOpen: false, ended: Promise.resolve() };
    loop.ended = keepReopening({
      signal: loop.stop.signal,
      work: (progressed) => runLoop(group, partition, loop, progressed),
      onTrouble: (error) => onTrouble({ group: group.id, topic: group.topic, partition, error }),
    }).catch((error: unknown) => {
      if (owner.fault) return;
      owner.fault = { error };
      // Not awaited here: the removal waits for this very loop to end.
      void remove(group, owner);
    });
    return loop;
  }

  async function runLoop(group: Group, partition: number, loop: Loop, progressed: () => void): Promise<void> {
    const processor = await loop.owner.open(partition);
    try {
      loop.isOpen = true;
      await processAll(group, partition, loop, processor, progressed);
    } catch (error) {
      // The first fault is the one to tell; a second from closing would hide it.
      await processor.close().catch(() => undefined);
      throw error;
    } finally {
      loop.isOpen = false;
    }
    await processor.close();
  }

  async function processAll(
    group: Group,
    partition: number,
    loop: Loop,
    processor: PartitionProcessor,
    progressed: () => void,
  ): Promise<void> {
    const { topic } = group;
    const watch = watchFailed(processor.failed, loop.stop.signal);
    let position = processor.start === 'earliest' ? (await log.bounds(topic, partition)).first : processor.start;
    loop.position = position;
    const room = processor.letsGo ? createReadRoom() : undefined;
    while (!watch.signal.aborted) {
      room?.clear();
      const batch = await log.read(topic, partition, position, processor.limit, room);
      if (batch.records.length === 0) {
        await log.waitFor(topic, partition, position, idleWaitMs, watch.signal);
        continue;
      }
      await processor.process(batch);
      position = batch.next;
      loop.position = position;
      progressed();
      noteCommitted(group.id, topic, partition, position);
      // A long backlog must not starve the rest of the process.
      await nextTurn();
    }
    watch.check();
  }

  function ownedBy(group: Group, member: Member): OwnedPartition[] {
    const mine = [...group.loops].filter(([, loop]) => loop.owner === member);
    return mine.map(([partition, { isOpen }]) => ({ partition, isOpen }));
  }

  async function lagOf(group: Group, member: Member): Promise<number> {
    let lag = 0;
    for (const [partition, loop] of group.loops) {
      if (loop.owner !== member) continue;
      const { first, next } = await log.bounds(group.topic, partition);
      lag += next - (loop.position ?? first);
    }
    return lag;
  }

  async function close(): Promise<void> {
    await Promise.all([...leavers].map((leave) => leave()));
  }

  return { join, close };
}
