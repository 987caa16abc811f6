import type { OnTrouble, Topic } from '../../../ports/log.js';
import type { Compression } from './codecs.js';

/** Where Kafka is and how to log in. */
export interface KafkaConnection {
  /** `host:port` of brokers to begin with; they name the others. */
  readonly brokers: readonly string[];
  readonly clientId?: string;
  /** PEM texts; `true` for TLS with the certificates that Node trusts. */
  readonly tls?: boolean | { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly servername?: string };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
}

export interface KafkaLogOptions extends KafkaConnection {
  readonly partitions: Record<Topic, number>;
  /** First part of the names of topics and groups, default `huqi`: two HuQis on one Kafka need two. */
  readonly topicPrefix?: string;
  /** Copies of each partition of the topics that are made here; default 3, or as many as there are brokers. */
  readonly replication?: number;
  /** Copies that must have an append before it counts; default 2 where there are three copies or more, else 1. */
  readonly minInsync?: number;
  /** How long Kafka keeps records of the topics that are made here, in milliseconds; default -1, until HuQi trims them. */
  readonly retentionMs?: Partial<Record<Topic, number>>;
  readonly compression?: Compression;
  /** After how long without a sign of life a member's partitions go to others, in milliseconds; default 10,000. */
  readonly sessionTimeoutMs?: number;
  /** Directory that processes of this machine share: one that was killed loses its partitions at once where another sees it there. */
  readonly membersDirectory?: string;
  /** How long brokers that cannot be reached are ridden out before `Unavailable`, in milliseconds; default 20,000. */
  readonly deadlineMs?: number;
  readonly onTrouble?: OnTrouble;
  readonly onEvent?: (event: KafkaLogEvent) => void;
}

/** What operators should see though the log goes on by itself. */
export interface KafkaLogEvent {
  readonly kind: 'membershipLost' | 'membershipRegained' | 'memberDismissed' | 'producerReplaced' | 'offsetCommitFailed';
  /** One sentence without credentials and values. */
  readonly detail: string;
}
