import type { Log, Membership, OnTrouble, PartitionProcessor, Topic } from '../../../ports/log.js';
import { keepReopening } from '../reopening.js';
import type { Cluster } from './cluster.js';
import { createGroupMember, groupIdOf } from './group-member.js';
import type { LocalMembers } from './local-members.js';
import type { KafkaLogEvent } from './options.js';
import { workOnPartition, type PartitionSource } from './partition-work.js';

type Open = (partition: number) => Promise<PartitionProcessor>;

export interface GroupsOptions {
  readonly cluster: Cluster;
  readonly prefix: string;
  readonly nameOf: (topic: Topic) => string;
  readonly partitions: Record<Topic, number>;
  readonly bounds: Log['bounds'];
  readonly sourceOf: (topic: Topic, partition: number) => PartitionSource;
  readonly sessionTimeoutMs: number;
  readonly localMembers: LocalMembers;
  readonly onTrouble: OnTrouble;
  readonly onEvent: (event: KafkaLogEvent) => void;
}

interface Loop {
  readonly stop: AbortController;
  /** Where it reads next; undefined until its processor was open once. */
  position: number | undefined;
  isOpen: boolean;
  /** Resolves when the processor is closed and nothing more will be processed; never rejects. */
  ended: Promise<void>;
}

/** Consumer groups over the processes of a cluster: Kafka says who has which partition, each partition has one loop here. */
export function createKafkaGroups(options: GroupsOptions) {
  const leavers = new Set<() => Promise<void>>();

  function join(id: string, topic: Topic, open: Open): Membership {
    const membership = takePart(options, id, topic, open);
    const leave = () => {
      leavers.delete(leave);
      return membership.leave();
    };
    leavers.add(leave);
    return { ...membership, leave };
  }

  async function close(): Promise<void> {
    await Promise.all([...leavers].map((leave) => leave()));
  }

  return { join, close };
}

function takePart(options: GroupsOptions, id: string, topic: Topic, open: Open): Membership {
  const loops = new Map<number, Loop>();
  const moved = new Map<number, number>();
  let assigned: ReadonlySet<number> | null = null;
  let ending: Promise<void> | null = null;
  let firstFault: { readonly error: unknown } | null = null;
  let resolveDone: () => void = () => undefined;
  let rejectDone: (fault: unknown) => void = () => undefined;
  const done = new Promise<void>((resolve, reject) => {
    resolveDone = resolve;
    rejectDone = reject;
  });
  // A fault that comes before the caller looks must not end the process; it is kept for the caller.
  done.catch(() => undefined);

  const member = createGroupMember({
    cluster: options.cluster,
    groupId: groupIdOf(options.prefix, id, topic),
    topic: options.nameOf(topic),
    partitions: options.partitions[topic],
    sessionTimeoutMs: options.sessionTimeoutMs,
    localMembers: options.localMembers,
    owned: () => [...loops.keys()],
    onAssigned: (partitions) => {
      assigned = new Set(partitions);
      reconcile();
    },
    takePositions: () => {
      const positions = new Map(moved);
      moved.clear();
      return positions;
    },
    onEvent: options.onEvent,
  });
  member.run().catch(fail);

  /** Closes what the group has taken away, opens what it has given and nobody here works on. */
  function reconcile(): void {
    if (ending || !assigned) return;
    for (const [partition, loop] of loops) if (!assigned.has(partition)) loop.stop.abort();
    for (const partition of assigned) if (!loops.has(partition)) start(partition);
  }

  function start(partition: number): void {
    const loop: Loop = { stop: new AbortController(), position: undefined, isOpen: false, ended: Promise.resolve() };
    loops.set(partition, loop);
    loop.ended = keepReopening({
      signal: loop.stop.signal,
      work: (progressed) => workOn(partition, loop, progressed),
      onTrouble: (error) => options.onTrouble({ group: id, topic, partition, error }),
    })
      // Not awaited here: the end of the membership waits for this very loop.
      .catch(fail)
      .then(() => closed(partition, loop));
  }

  function workOn(partition: number, loop: Loop, progressed: () => void): Promise<void> {
    return workOnPartition(
      {
        source: options.sourceOf(topic, partition),
        open: () => open(partition),
        signal: loop.stop.signal,
        mayBegin: member.confirmed,
        onOpen: (isOpen) => {
          loop.isOpen = isOpen;
        },
        onPosition: (position) => {
          if (loop.position !== undefined && loop.position !== position) moved.set(partition, position);
          loop.position = position;
        },
      },
      progressed,
    );
  }

  /** What was taken away is closed: the group is told, so that it can be given to others; what came back meanwhile is opened. */
  function closed(partition: number, loop: Loop): void {
    if (loops.get(partition) !== loop) return;
    loops.delete(partition);
    if (ending) return;
    reconcile();
    member.rejoin();
  }

  function fail(error: unknown): void {
    firstFault ??= { error };
    void end();
  }

  /** Ends the membership once all its processors are closed; `done` tells the fault, if there is one. */
  function end(): Promise<void> {
    ending ??= (async () => {
      const running = [...loops.values()];
      for (const { stop } of running) stop.abort();
      await Promise.all(running.map(({ ended }) => ended));
      await member.leave();
      if (firstFault) rejectDone(firstFault.error);
      else resolveDone();
    })();
    return ending;
  }

  return {
    done,
    leave: async () => {
      await end();
    },
    owned: () => {
      if (!assigned) return null;
      const kept = [...loops].filter(([, { stop }]) => !stop.signal.aborted);
      return kept.map(([partition, { isOpen }]) => ({ partition, isOpen: isOpen && member.isConfirmed() }));
    },
    lag: async () => {
      const behind = [...loops].map(async ([partition, { position }]) => {
        const { first, next } = await options.bounds(topic, partition);
        return Math.max(0, next - (position ?? first));
      });
      return (await Promise.all(behind)).reduce((sum, records) => sum + records, 0);
    },
  };
}
