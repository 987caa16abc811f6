import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.js';
import { isConnectionFault, KafkaError, reasonOf, refusal } from './faults.js';
import type { KafkaConnection } from './options.js';

const startMsMax = 8_000;
const startPauseMs = 250;

/** Finds the brokers. Throws one sentence that says what is wrong and where to mend it. */
export async function connectAtStart(cluster: Cluster, options: KafkaConnection): Promise<void> {
  const until = performance.now() + startMsMax;
  for (;;) {
    try {
      await cluster.refresh();
      return;
    } catch (fault) {
      const isFinal = !isConnectionFault(fault) || isLoginFault(fault) || isTlsFault(fault);
      if (isFinal || performance.now() > until) throw explainStart(fault, options);
    }
    await sleep(startPauseMs);
  }
}

/** What a fault of the first connection means. */
export function explainStart(fault: unknown, options: KafkaConnection): unknown {
  const where = options.brokers.join(', ');
  if (isLoginFault(fault)) {
    const mechanism = options.sasl?.mechanism ?? 'none';
    return new KafkaError(
      `the broker refused the login by ${mechanism} as ${options.sasl?.username ?? 'nobody'}: check kafka.sasl (${reasonOf(fault)})`,
      { cause: fault },
    );
  }
  if (isTlsFault(fault)) {
    return new KafkaError(`no TLS connection to ${where}: check kafka.tls and the port of the listener (${reasonOf(fault)})`, {
      cause: fault,
    });
  }
  if (!isConnectionFault(fault)) return refusal(`asking ${where} for its brokers`, fault);
  const isClosed =
    fault instanceof Error && (fault.name === 'KafkaJSConnectionClosedError' || fault.name === 'KafkaJSRequestTimeoutError');
  return new KafkaError(
    isClosed
      ? `${where} answers, but not as a listener without ${options.tls ? 'login' : 'TLS and login'} would: check kafka.tls and kafka.sasl`
      : `${where} cannot be reached: check kafka.brokers and whether it runs (${reasonOf(fault)})`,
    { cause: fault },
  );
}

function isLoginFault(fault: unknown): boolean {
  return fault instanceof Error && fault.name === 'KafkaJSSASLAuthenticationError';
}

function isTlsFault(fault: unknown): boolean {
  if (!(fault instanceof Error)) return false;
  const code = (fault as NodeJS.ErrnoException).code ?? '';
  if (fault.message.includes('before secure TLS connection')) return true;
  return /^(ERR_SSL|ERR_TLS|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME)/.test(code);
}
