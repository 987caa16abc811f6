import { setTimeout as sleep } from 'node:timers/promises';
import { Unavailable } from '../../../ports/unavailable.js';
import { createErrorFromCode, type BrokerError } from './kafkajs.js';

/** Kafka refuses for good: the settings, the rights or the topics must be mended first. */
export class KafkaError extends Error {
  readonly retriable = false;
  constructor(message: string, options?: ErrorOptions) {
    super(`Kafka: ${message}`, options);
    this.name = 'KafkaError';
  }
}

/** Throws what a broker's error code stands for. */
export function checkCode(code: number): void {
  if (code !== 0) throw createErrorFromCode(code);
}

export function typeOf(fault: unknown): string | undefined {
  return fault instanceof Error ? (fault as Partial<BrokerError>).type : undefined;
}

/** The connection or its broker is gone; whether the request was carried out is not known. */
export function isConnectionFault(fault: unknown): boolean {
  if (!(fault instanceof Error)) return false;
  return [
    'KafkaJSConnectionError',
    'KafkaJSConnectionClosedError',
    'KafkaJSRequestTimeoutError',
    'KafkaJSSASLAuthenticationError',
  ].includes(fault.name);
}

const passingTypes = new Set([
  'CORRUPT_MESSAGE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REQUEST_TIMED_OUT',
  'BROKER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'STALE_CONTROLLER_EPOCH',
  'NETWORK_EXCEPTION',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'NOT_CONTROLLER',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
  'CONCURRENT_TRANSACTIONS',
  'THROTTLING_QUOTA_EXCEEDED',
]);

/** Worth another try: brokers fall and leaders move. */
export function isPassing(fault: unknown): boolean {
  return isConnectionFault(fault) || passingTypes.has(typeOf(fault) ?? '');
}

export function reasonOf(fault: unknown): string {
  if (!(fault instanceof Error)) return String(fault);
  return typeOf(fault) ?? fault.message;
}

/** What a refusal that no other try would change means for whoever runs HuQi. */
export function refusal(what: string, fault: unknown): unknown {
  const remedy = remedies[typeOf(fault) ?? ''];
  if (remedy) return new KafkaError(`${what}: ${remedy}`, { cause: fault });
  if (typeOf(fault) === undefined) return fault;
  return new KafkaError(`${what}: the broker answered ${reasonOf(fault)}`, { cause: fault });
}

const remedies: Record<string, string> = {
  TOPIC_AUTHORIZATION_FAILED: 'the user has no right to it; allow Read, Write, Describe, Create and Delete on the topics',
  GROUP_AUTHORIZATION_FAILED: 'the user has no right to the group; allow Read on the groups',
  CLUSTER_AUTHORIZATION_FAILED: 'the user has no right to it; allow IdempotentWrite, Create and Describe on the cluster',
  MESSAGE_TOO_LARGE: 'the record is larger than the topic takes; set its max.message.bytes to 16777216',
  RECORD_LIST_TOO_LARGE: 'the record is larger than the topic takes; set its max.message.bytes to 16777216',
  POLICY_VIOLATION: 'a policy of the cluster forbids it; ask its administrators to make the topics',
  INVALID_REPLICATION_FACTOR: 'there are fewer brokers than copies asked for; set kafka.replication lower or start more brokers',
};

const pauseMs = { first: 50, max: 1_000 } as const;

export interface Ride {
  /** What is being done, for the message: `hits/3: reading`. */
  readonly what: string;
  readonly deadlineMs: number;
  /** Called between two tries, to find out where things are now. */
  readonly refresh: () => Promise<unknown>;
  readonly signal?: AbortSignal;
}

/** Tries again through passing faults until the deadline, then rejects with `Unavailable`; with any other fault at once. */
export async function rideOut<T>(ride: Ride, attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + ride.deadlineMs;
  for (let pause: number = pauseMs.first; ; pause = Math.min(pause * 2, pauseMs.max)) {
    try {
      return await attempt();
    } catch (fault) {
      if (!isPassing(fault)) throw refusal(ride.what, fault);
      if (performance.now() + pause >= until || ride.signal?.aborted) {
        const seconds = Math.round(ride.deadlineMs / 100) / 10;
        throw new Unavailable(`${ride.what}: Kafka could not do it within ${seconds} s: ${reasonOf(fault)}`, { cause: fault });
      }
    }
    await sleep(pause, undefined, ride.signal ? { signal: ride.signal } : {}).catch(() => undefined);
    await ride.refresh().catch(() => undefined);
  }
}
