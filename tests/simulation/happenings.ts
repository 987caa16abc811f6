import type { Mixture } from './disturbances.js';
import type { Process, Surroundings } from './process.js';
import type { Incarnation } from './world.js';

/** What happens to processes and parts, by themselves or because a call was drawn for it. */
export interface Happenings {
  kill(incarnation: Incarnation, why: string): void;
  pause(incarnation: Incarnation, forMs: number): void;
  /** From now on things happen by themselves, until the trouble is over. */
  begin(): void;
}

export interface HappeningsOptions {
  readonly around: Surroundings;
  readonly mixture: Mixture;
  /** Nothing is left to chance. */
  readonly isEven: boolean;
  readonly isTroubled: () => boolean;
  readonly processes: () => readonly Process[];
  /** Starts another process in the place of one that has ended. */
  readonly replace: (incarnation: Incarnation) => void;
  readonly changePatterns: (() => void) | null;
}

export function createHappenings(options: HappeningsOptions): Happenings {
  const { around, mixture, isEven, isTroubled, processes, replace, changePatterns } = options;
  const { world, groups, network, state } = around;

  function kill(incarnation: Incarnation, why: string): void {
    if (incarnation.isDead) return;
    world.trace(`${incarnation.name} dies ${why}`);
    world.count('a process died');
    incarnation.isDead = true;
    groups.missed(incarnation, isEven ? 5_000 : world.between(500, 10_000));
    world.schedule(null, isEven ? 1_000 : world.between(100, 8_000), () => replace(incarnation));
  }

  function pause(incarnation: Incarnation, forMs: number): void {
    world.trace(`${incarnation.name} stands still for ${forMs} ms`);
    world.count('a process stood still');
    incarnation.pausedUntilMs = world.nowMs() + forMs;
    groups.missed(incarnation, Math.min(forMs, world.between(1_000, 8_000)));
  }

  /** What happens by itself. */
  function happen(): void {
    if (!isTroubled()) return;
    world.schedule(null, mixture.everyMs * (0.2 + 1.6 * world.random()), happen);
    const alive = processes().filter(({ incarnation }) => !incarnation.isDead);
    const one = alive.length > 0 ? world.pick(alive) : null;
    const kind = world.random();
    if (kind < 0.2) {
      if (one) kill(one.incarnation, 'by itself');
    } else if (kind < 0.3) {
      if (one) stopGracefully(one);
    } else if (kind < 0.4) {
      if (one) pause(one.incarnation, world.between(500, 40_000));
    } else if (kind < 0.5) {
      if (one) groups.cutOff(one.incarnation);
    } else if (kind < 0.62) {
      groups.shuffle();
    } else if (kind < 0.74) {
      const part = world.pick(['log', 'state', 'warehouse'] as const);
      world.trace(`${part} is away`);
      world.count(`outage of the ${part}`);
      network.outage(part, world.between(500, 30_000));
    } else if (mixture.hasReplica) {
      world.count('failover');
      state.failOver(world.between(1, 12), mixture.mayForget);
    }
  }

  function changeSets(): void {
    if (!isTroubled()) return;
    world.schedule(null, world.between(200, 4_000), changeSets);
    changePatterns?.();
  }

  function stopGracefully(process: Process): void {
    const { incarnation } = process;
    if (!process.isReady) return;
    world.trace(`${incarnation.name} is asked to stop`);
    world.count('a process was stopped in peace');
    const over = (): void => {
      if (incarnation.isDead) return;
      incarnation.isDead = true;
      replace(incarnation);
    };
    process.stop(() => world.schedule(null, 0, over));
    world.schedule(null, 20_000, () => kill(incarnation, 'because it does not stop'));
  }

  return {
    kill,
    pause,
    begin() {
      world.schedule(null, 0, happen);
      if (changePatterns) changeSets();
    },
  };
}
