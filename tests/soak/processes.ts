import { setTimeout as sleep } from 'node:timers/promises';
import { startHuqi, type Environment, type Running } from '../support/huqi.js';

/** A process of HuQi under a supervisor: what ends by itself is started again, as systemd or Kubernetes would. */
export interface Supervised {
  readonly name: string;
  /** Times it ended without having been killed, with the last lines of what it said. */
  readonly endings: readonly string[];
  readonly isUp: boolean;
  /** SIGKILL; it is started again after `pauseMs`. Resolves once the new process says that it runs. */
  kill(pauseMs: number): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

const supervisorPauseMs = 1_000;
const endingLength = 600;

/** Starts it and waits until it says that it runs. */
export async function supervise(name: string, args: readonly string[], environment: Environment): Promise<Supervised> {
  const endings: string[] = [];
  let current: Running;
  let isUp = false;
  let isStopped = false;
  let restartPauseMs: number | null = null;
  let up: Promise<void> = Promise.resolve();

  function start(): void {
    const started = startHuqi(args, environment);
    current = started;
    up = started.printed(/runs at http/).then(() => {
      isUp = true;
    });
    up.catch(() => undefined);
    void started.ended.then(async ({ code, stdout, stderr }) => {
      isUp = false;
      const pauseMs = restartPauseMs ?? supervisorPauseMs;
      if (restartPauseMs === null && !isStopped) endings.push(`code ${code}: ${`${stdout}${stderr}`.slice(-endingLength)}`);
      restartPauseMs = null;
      await sleep(pauseMs);
      if (!isStopped) start();
    });
  }

  async function running(): Promise<void> {
    const isWaiting = () => !isUp && !isStopped;
    while (isWaiting()) await Promise.race([up.catch(() => undefined), sleep(200)]).then(() => sleep(20));
  }

  start();
  try {
    await up;
  } catch (error) {
    isStopped = true;
    throw error;
  }
  return {
    name,
    endings,
    get isUp() {
      return isUp;
    },
    async kill(pauseMs) {
      restartPauseMs = pauseMs;
      isUp = false;
      await current.end('SIGKILL');
      await running();
    },
    async stop() {
      isStopped = true;
      await current.end('SIGKILL');
    },
  };
}
