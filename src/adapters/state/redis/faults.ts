/** Redis is not what HuQi may keep its state in, or will not have it: a person must act. */
export class RedisRefused extends Error {
  readonly retriable = false;
  constructor(message: string) {
    super(message);
    this.name = 'RedisRefused';
  }
}

/** What was stored is gone: going on would begin anew with an empty state, and warn everybody again. */
export class StoreLost extends Error {
  readonly retriable = false;
  constructor(
    readonly server: string,
    what: string,
  ) {
    super(
      `Redis ${server}: ${what}. Nothing is read or written any more: restore the append-only file or a backup of this Redis and start HuQi again.`,
    );
    this.name = 'StoreLost';
  }
}

/** The connection ended, or never began. Whether a command that was under way was carried out is unknown. */
export class ConnectionLost extends Error {
  constructor(
    readonly server: string,
    readonly why: string,
  ) {
    super(`Redis ${server}: ${why}`);
    this.name = 'ConnectionLost';
  }
}

/** Redis answered with an error: the command was not carried out. `code` is its first word. */
export class ReplyRefused extends Error {
  readonly code: string;
  constructor(
    readonly server: string,
    readonly reply: string,
  ) {
    super(`Redis ${server}: ${reply}`);
    this.name = 'ReplyRefused';
    this.code = /^[A-Z]+/.exec(reply)?.[0] ?? 'ERR';
  }
}

/** The commit is applied, but not on as many disks as it must be, or its outcome cannot be told any more. */
export class Unconfirmed extends Error {
  constructor(
    readonly server: string,
    readonly why: string,
  ) {
    super(`Redis ${server}: ${why}`);
    this.name = 'Unconfirmed';
  }
}

/** States of a server that pass, each with what a person does where it does not. */
const passing: Readonly<Record<string, string>> = {
  LOADING: 'it is loading its data',
  READONLY: 'it has become a replica',
  MASTERDOWN: 'it is a replica that has lost its master',
  CLUSTERDOWN: 'the cluster does not serve all hash slots; look at CLUSTER INFO',
  MOVED: 'the cluster is moving hash slots',
  ASK: 'the cluster is moving hash slots',
  TRYAGAIN: 'the cluster is moving hash slots',
  BUSY: 'a script holds it up',
  NOSCRIPT: 'it has forgotten its scripts',
  OOM: 'its memory is full; raise maxmemory',
  MISCONF: 'it cannot write to its disk; make room there and look at its log',
  NOREPLICAS: 'it has too few replicas for its min-replicas-to-write',
};

/** Ends with the connection: another server may be the right one. */
const leaving = new Set(['LOADING', 'READONLY', 'MASTERDOWN', 'CLUSTERDOWN', 'MOVED']);

export const isPassing = (code: string): boolean => code in passing;

export const passes = (error: unknown): error is ConnectionLost | ReplyRefused | Unconfirmed =>
  error instanceof ConnectionLost || error instanceof Unconfirmed || (error instanceof ReplyRefused && isPassing(error.code));

export const leaves = (error: unknown): boolean => error instanceof ReplyRefused && leaving.has(error.code);

/** Why a call waits, for a person. */
export function reasonOf(error: ConnectionLost | ReplyRefused | Unconfirmed): string {
  return error instanceof ReplyRefused ? (passing[error.code] ?? error.reply) : error.why;
}
