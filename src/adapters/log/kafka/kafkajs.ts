import { createRequire } from 'node:module';

/**
 * The parts of kafkajs that are used: its connections, its logins and its encodings of requests. Its consumer and its
 * producer are not: the consumer hides at which offset it reads, jumps over what is gone and lets one slow partition hold up
 * the others; the producer goes on with the numbers of a batch of which nobody knows how it ended. This file alone knows that
 * these parts have no types.
 */

const require = createRequire(import.meta.url);

/** A connection to one broker. `send` is used by the login alone; what HuQi sends goes by `requestQueue`. */
export interface Connection {
  readonly requestQueue: RequestQueue;
  readonly socket?: import('node:net').Socket;
  connect(): Promise<unknown>;
  authenticate(): Promise<void>;
  isConnected(): boolean;
  isAuthenticated(): boolean;
  setVersions(versions: ApiVersions): void;
  setSupportAuthenticationProtocol(isSupported: boolean): void;
  nextCorrelationId(): number;
  rejectRequests(error: Error): void;
  disconnect(): Promise<unknown>;
}

interface RequestQueue {
  pending: unknown[];
  push(request: {
    readonly entry: {
      readonly apiKey: number;
      readonly apiName: string;
      readonly apiVersion: number;
      readonly correlationId: number;
      readonly resolve: (answer: { readonly payload: Buffer }) => void;
      readonly reject: (error: Error) => void;
    };
    readonly expectResponse: boolean;
    readonly requestTimeout: number | null;
    readonly sendRequest: () => void;
  }): void;
}

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly ssl: object | null;
  readonly sasl: object | null;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly socketFactory: (target: {
    readonly host: string;
    readonly port: number;
    readonly ssl: object | null;
    readonly onConnect: () => void;
  }) => import('node:net').Socket;
}

export type ApiVersions = Record<number, { readonly minVersion: number; readonly maxVersion: number }>;

interface Protocol {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<{ readonly buffer: Buffer }>;
  };
  readonly response: { decode(payload: Buffer): Promise<unknown> };
  readonly requestTimeout?: number | null;
}
interface Definition {
  readonly versions: string[];
  protocol(choice: { readonly version: number }): (options: object) => Protocol;
}

const logger = { namespace: () => logger, debug: ignore, info: ignore, warn: ignore, error: ignore };

const ConnectionClass = require('kafkajs/src/network/connection.js') as new (options: object) => Connection;
const RequestQueueClass = require('kafkajs/src/network/requestQueue/index.js') as {
  readonly prototype: { scheduleCheckPendingRequests: (this: RequestQueue) => void };
};
const { requests } = require('kafkajs/src/protocol/requests/index.js') as { readonly requests: Record<string, Definition> };
const apiKeys = require('kafkajs/src/protocol/requests/apiKeys.js') as Record<string, number>;
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as {
  readonly createErrorFromCode: (code: number) => BrokerError;
};
const { MemberMetadata, MemberAssignment } = require('kafkajs/src/consumer/assignerProtocol.js') as {
  readonly MemberMetadata: { encode(data: object): Buffer; decode(bytes: Buffer): { readonly userData: Buffer } };
  readonly MemberAssignment: {
    encode(data: object): Buffer;
    decode(bytes: Buffer): { readonly assignment: Record<string, number[]> } | null;
  };
};

/** What a broker answered instead of doing what it was asked for; `type` is Kafka's own name of it. */
export interface BrokerError extends Error {
  readonly type: string;
  readonly code: number;
  readonly retriable: boolean;
}

export { createErrorFromCode, MemberAssignment, MemberMetadata };

// A queue that is empty asks itself every millisecond whether it is still empty, by a time-out below zero that Node ≥ 20 runs
// at once: an idle process would burn a core. Nothing waits in an empty queue, and `push` schedules the check of the next.
const { scheduleCheckPendingRequests } = RequestQueueClass.prototype;
RequestQueueClass.prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue): void {
  if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
};

export function createConnection(options: ConnectionOptions): Connection {
  return new ConnectionClass({ ...options, logger, enforceRequestTimeout: true });
}

/** The APIs that HuQi uses, and the version of each that it needs at least: together Kafka 2.3. */
const apiVersionsMin = {
  ApiVersions: 2,
  Metadata: 6,
  Produce: 7,
  Fetch: 11,
  ListOffsets: 3,
  InitProducerId: 1,
  GroupCoordinator: 2,
  JoinGroup: 5,
  SyncGroup: 3,
  Heartbeat: 3,
  LeaveGroup: 3,
  OffsetCommit: 5,
  OffsetFetch: 4,
  CreateTopics: 3,
  DeleteTopics: 1,
  DeleteRecords: 1,
  DescribeConfigs: 2,
} as const;
export type ApiName = keyof typeof apiVersionsMin;

export function apiKeyOf(name: ApiName): number {
  return apiKeys[name]!;
}

/** The newest version of an API that both sides know. */
function versionOf(name: ApiName, versions: ApiVersions): number | null {
  const server = versions[apiKeyOf(name)];
  const known = Math.max(...requests[name]!.versions.map(Number));
  const version = Math.min(known, server?.maxVersion ?? -1);
  return server && version >= server.minVersion && version >= apiVersionsMin[name] ? version : null;
}

/** What the broker lacks; empty where it has all that is needed. */
export function missingApis(versions: ApiVersions): ApiName[] {
  return (Object.keys(apiVersionsMin) as ApiName[]).filter((name) => versionOf(name, versions) === null);
}

/** The encoding of a request and the decoding of its answer, which throws for no error code in it. */
export function protocolOf(name: ApiName, versions: ApiVersions | null, options: object): Protocol {
  const version = versions ? versionOf(name, versions) : apiVersionsMin[name];
  if (version === null) throw new Error(`Kafka: the broker lacks ${name} in version ${apiVersionsMin[name]}`);
  return requests[name]!.protocol({ version })(options);
}

function ignore(): void {}
