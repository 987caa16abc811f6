import { setTimeout as sleep } from 'node:timers/promises';
import { assignPartitions, decodeClaim, encodeClaim } from './assignment.js';
import type { Cluster } from './cluster.js';
import { checkCode, isPassing, KafkaError, reasonOf, refusal, typeOf } from './faults.js';
import { MemberAssignment, MemberMetadata } from './kafkajs.js';
import type { Link } from './link.js';
import type { LocalMembers } from './local-members.js';
import type { KafkaLogEvent } from './options.js';

/** Groups that run different versions of HuQi must agree on it. */
const protocolName = 'huqi-sticky-1';
const leaveMsMax = 3_000;
/** Members of one group in one process have connections of their own: a join that waits would hold up the others' signs of life. */
let membersMade = 0;
const retryPauseMs = { min: 100, max: 2_000 } as const;
/** While it starts, so often it is looked for members of this machine that are gone. */
const dismissEveryMs = 500;

export interface GroupMemberOptions {
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly topic: string;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
  /** Partitions that this member works on just now, those that it is closing too. */
  readonly owned: () => readonly number[];
  /** The group gives these to this member; what it has beyond them it closes and then calls `rejoin`. */
  readonly onAssigned: (partitions: readonly number[]) => void;
  /** Positions that have changed since the last call; kept by Kafka for lag tools only. */
  readonly takePositions: () => ReadonlyMap<number, number>;
  readonly onEvent: (event: KafkaLogEvent) => void;
  readonly localMembers: LocalMembers;
}

/**
 * One member of a consumer group: joins, says every second that it lives, joins again when the group changes, keeps its
 * partitions meanwhile. It rides out whatever passes, for as long as it takes; `run` rejects with what does not.
 */
export function createGroupMember(options: GroupMemberOptions) {
  const { cluster, groupId, topic, sessionTimeoutMs, localMembers } = options;
  const lane = `group/${groupId}/${++membersMade}` as const;
  const heartbeatMs = Math.min(1_000, sessionTimeoutMs / 4);
  const leaving = new AbortController();
  let memberId = '';
  let generation = -1;
  let coordinator: Link | null = null;
  /** When the request was sent that the group has last confirmed this member by. */
  let confirmedAt = Number.NEGATIVE_INFINITY;
  let isInDoubt = false;
  let waitingForConfirmation: (() => void)[] = [];
  let nudge = new AbortController();
  let wantsRejoin = false;
  let isStaying = false;
  let isDismissing = false;

  async function run(): Promise<void> {
    void dismissWhileStarting();
    // Whether Kafka answers or not: the process lives.
    const signs = setInterval(() => {
      if (memberId !== '' && !leaving.signal.aborted) localMembers.alive(groupId, memberId);
    }, heartbeatMs);
    signs.unref();
    try {
      for (let pause: number = retryPauseMs.min; !leaving.signal.aborted;) pause = await takePart(pause);
    } finally {
      clearInterval(signs);
    }
  }

  /** Joins and stays until the group changes or a fault comes; the pause before the next fault's try. */
  async function takePart(pauseBefore: number): Promise<number> {
    let pause = pauseBefore;
    try {
      wantsRejoin = false;
      await join();
      pause = retryPauseMs.min;
      isStaying = true;
      await stay().finally(() => {
        isStaying = false;
      });
      return pause;
    } catch (fault) {
      if (leaving.signal.aborted) return pause;
      return (await recover(fault, pause)) ? Math.min(pause * 2, retryPauseMs.max) : pause;
    }
  }

  /** A join waits for members that are gone as well, until their sessions end: meanwhile it is looked who they are. */
  async function dismissWhileStarting(): Promise<void> {
    const startedAt = performance.now();
    const isWaiting = () => generation === -1 && performance.now() - startedAt < sessionTimeoutMs && !leaving.signal.aborted;
    while (isWaiting()) {
      await dismiss({ silent: true });
      await sleep(dismissEveryMs, undefined, { signal: leaving.signal }).catch(() => undefined);
    }
  }

  /** Takes members out of the group whose processes on this machine have ended. What fails is done by the end of their sessions. */
  async function dismiss(which: { readonly silent: boolean }): Promise<void> {
    if (isDismissing) return;
    isDismissing = true;
    try {
      for (const gone of localMembers.dead(groupId, which)) {
        const link = await cluster.link(await coordinatorId(), 'ask');
        // Of a member that the group has forgotten already this is told apart, and is as good.
        const { errorCode } = await link.ask<{ errorCode: number }>('LeaveGroup', { groupId, memberId: gone });
        checkCode(errorCode);
        localMembers.left(groupId, gone);
        options.onEvent({ kind: 'memberDismissed', detail: `${groupId}: a process that has ended no longer holds partitions` });
      }
    } catch {
      // Next time.
    } finally {
      isDismissing = false;
    }
  }

  async function join(): Promise<void> {
    const link = await coordinatorLink();
    const joined = await askToJoin(link);
    memberId = joined.memberId;
    localMembers.alive(groupId, memberId);
    const groupAssignment = joined.leaderId === memberId ? divide(joined.members) : [];
    const sentAt = performance.now();
    const synced = await link.ask<{ errorCode: number; memberAssignment: Buffer }>(
      'SyncGroup',
      { groupId, generationId: joined.generationId, memberId, groupAssignment },
      sessionTimeoutMs,
    );
    checkCode(synced.errorCode);
    generation = joined.generationId;
    confirm(sentAt);
    options.onAssigned(MemberAssignment.decode(synced.memberAssignment)?.assignment[topic] ?? []);
  }

  interface Joined {
    readonly errorCode: number;
    readonly generationId: number;
    readonly leaderId: string;
    readonly memberId: string;
    readonly members: readonly { memberId: string; memberMetadata: Buffer }[];
  }

  async function askToJoin(link: Link): Promise<Joined> {
    const userData = encodeClaim({ owned: options.owned(), generation });
    const request = {
      groupId,
      sessionTimeout: sessionTimeoutMs,
      // Members answer a change of the group within a heartbeat: who has not after a session is gone.
      rebalanceTimeout: sessionTimeoutMs,
      protocolType: 'consumer',
      groupProtocols: [{ name: protocolName, metadata: MemberMetadata.encode({ version: 0, topics: [topic], userData }) }],
    };
    const answer = await link.ask<Joined>('JoinGroup', { ...request, memberId }, sessionTimeoutMs);
    if (answer.errorCode === memberIdRequired) {
      memberId = answer.memberId;
      const again = await link.ask<Joined>('JoinGroup', { ...request, memberId }, sessionTimeoutMs);
      checkCode(again.errorCode);
      return again;
    }
    checkCode(answer.errorCode);
    return answer;
  }

  /** As the leader of the group: who gets what. */
  function divide(members: Joined['members']) {
    const claims = members.map((one) => decodeClaim(one.memberId, MemberMetadata.decode(one.memberMetadata).userData));
    return [...assignPartitions(options.partitions, claims)].map(([member, partitions]) => ({
      memberId: member,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment: { [topic]: partitions } }),
    }));
  }

  /** Until the group changes or a fault comes. */
  async function stay(): Promise<void> {
    for (;;) {
      if (wantsRejoin || leaving.signal.aborted) return;
      await sleep(heartbeatMs, undefined, { signal: nudge.signal }).catch(() => undefined);
      nudge = new AbortController();
      if (wantsRejoin || leaving.signal.aborted) return;
      await heartbeat();
      // Not awaited: it must not hold up the next sign of life.
      void dismiss({ silent: false });
      await commitPositions();
    }
  }

  async function heartbeat(): Promise<void> {
    const sentAt = performance.now();
    const link = await coordinatorLink();
    const answer = await link.ask<{ errorCode: number }>('Heartbeat', { groupId, groupGenerationId: generation, memberId });
    checkCode(answer.errorCode);
    confirm(sentAt);
  }

  async function commitPositions(): Promise<void> {
    const positions = options.takePositions();
    if (positions.size === 0 || !coordinator?.isOpen) return;
    try {
      const partitions = [...positions].map(([partition, offset]) => ({ partition, offset: String(offset), metadata: null }));
      const answer = await coordinator.ask<{ responses: { partitions: { errorCode: number }[] }[] }>('OffsetCommit', {
        groupId,
        groupGenerationId: generation,
        memberId,
        topics: [{ topic, partitions }],
      });
      for (const { errorCode } of answer.responses.flatMap((one) => one.partitions)) checkCode(errorCode);
    } catch (fault) {
      if (typeOf(fault) === 'REBALANCE_IN_PROGRESS') return;
      options.onEvent({ kind: 'offsetCommitFailed', detail: `${groupId}: ${reasonOf(fault)}` });
    }
  }

  /** Makes ready for the next try; true where it is worth a longer pause each time. Throws what no try would mend. */
  async function recover(fault: unknown, pauseMs: number): Promise<boolean> {
    const type = typeOf(fault);
    if (type === 'REBALANCE_IN_PROGRESS') return false;
    if (type === 'UNKNOWN_MEMBER_ID' || type === 'ILLEGAL_GENERATION' || type === 'FENCED_INSTANCE_ID') {
      if (type !== 'ILLEGAL_GENERATION') {
        localMembers.left(groupId, memberId);
        memberId = '';
      }
      doubt(`the group no longer knew this member (${type})`);
      return false;
    }
    if (!isPassing(fault)) throw refusal(`the group ${groupId}`, fault);
    coordinator = null;
    if (performance.now() - confirmedAt > sessionTimeoutMs) doubt(reasonOf(fault));
    await sleep(pauseMs, undefined, { signal: leaving.signal }).catch(() => undefined);
    await cluster.refresh().catch(() => undefined);
    return true;
  }

  async function coordinatorLink(): Promise<Link> {
    if (coordinator?.isOpen) return coordinator;
    coordinator = await cluster.link(await coordinatorId(), lane);
    return coordinator;
  }

  async function coordinatorId(): Promise<number> {
    const any = await cluster.anyLink('ask');
    const answer = await any.ask<{ errorCode: number; coordinator: { nodeId: number } }>('GroupCoordinator', { groupId });
    checkCode(answer.errorCode);
    const { nodeId } = answer.coordinator;
    if (!cluster.layout.brokers.has(nodeId)) await cluster.refresh();
    return nodeId;
  }

  function confirm(sentAt: number): void {
    confirmedAt = sentAt;
    if (!isConfirmed()) return;
    if (isInDoubt) options.onEvent({ kind: 'membershipRegained', detail: `${groupId}: this process is a member again` });
    isInDoubt = false;
    for (const resolve of waitingForConfirmation.splice(0)) resolve();
  }

  function doubt(reason: string): void {
    if (isInDoubt || generation === -1) return;
    isInDoubt = true;
    options.onEvent({ kind: 'membershipLost', detail: `${groupId}: no new work is begun until it is a member again: ${reason}` });
  }

  /** False when the group may have given this member's partitions away since. */
  function isConfirmed(): boolean {
    return performance.now() - confirmedAt <= sessionTimeoutMs;
  }

  /** Resolves when the group has confirmed this member within the last session, or when `signal` aborts. */
  async function confirmed(signal: AbortSignal): Promise<void> {
    while (!isConfirmed() && !signal.aborted) {
      await new Promise<void>((resolve) => {
        waitingForConfirmation.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** To be called when what the group has taken away is closed: it can be given to others now. */
  function rejoin(): void {
    wantsRejoin = true;
    nudge.abort();
  }

  /** Keeps the last positions and leaves. Where Kafka cannot be reached the session ends by itself. */
  async function leave(): Promise<void> {
    const wasStaying = isStaying;
    leaving.abort();
    nudge.abort();
    const gone = async () => {
      if (wasStaying) await commitPositions();
      // A join that waits for the others would hold it up: that connection is given up.
      cluster.closeLane(lane);
      coordinator = null;
      if (memberId === '') return;
      const link = await coordinatorLink();
      await link.ask('LeaveGroup', { groupId, memberId });
      localMembers.left(groupId, memberId);
    };
    await Promise.race([gone().catch(() => undefined), sleep(leaveMsMax, undefined, { ref: false })]);
    cluster.closeLane(lane);
  }

  return { run, rejoin, leave, confirmed, isConfirmed };
}

const memberIdRequired = 79;

export function groupIdOf(prefix: string, group: string, topic: string): string {
  const id = `${prefix}.${group}.${topic}`;
  if (id.length > 249) throw new KafkaError(`the name of the group ${id} is too long; choose a shorter kafka.topicPrefix`);
  return id;
}
