import type { LineResult } from '../../src/pipeline/intake.js';
import { body } from '../support/stream.js';
import type { Process } from './process.js';
import type { Scheduled, World } from './world.js';

/** A bank that sends its bodies one after the other, and each again until it is answered. */
export interface Bank {
  /** Sends up to so many bodies, then waits. */
  sendUpTo(bodies: number): void;
  /** Sends all of the first bodies once more, in their order, as one that has lost its notes. */
  sendAgain(bodies: number): void;
  readonly answered: number;
  isWaiting(): boolean;
}

export interface BankOptions {
  readonly world: World;
  readonly name: string;
  readonly bodies: readonly (readonly string[])[];
  readonly processes: () => readonly Process[];
  /** How long it waits for an answer. */
  readonly patienceMs: readonly [number, number];
  /** True where nothing goes wrong any more: every body must be answered. */
  readonly isCalm: () => boolean;
  /** Share of answers that get lost, and of bodies that it sends again though they were answered. */
  readonly trouble: () => { losesAnswer: number; repeats: number };
}

/** Longest time to an answer while all is well. */
const calmMs = 120_000;

export function createBank({ world, name, bodies, processes, patienceMs, isCalm, trouble }: BankOptions): Bank {
  let answered = 0;
  let goal = 0;
  let again: number[] = [];
  let tries = 0;
  let isBusy = false;

  function next(): void {
    const number = again[0] ?? (answered < goal ? answered : null);
    isBusy = number !== null;
    if (number !== null) world.schedule(null, world.latencyMs(), () => send(number), true);
  }

  function send(number: number): void {
    const open = processes().filter(({ intake, incarnation }) => intake && !incarnation.isDead);
    if (open.length === 0) return void world.schedule(null, 500, () => send(number));
    const { intake, incarnation } = world.pick(open);
    world.trace(`bank ${name} sends body ${number} to ${incarnation.name}, try ${++tries}`);
    let isOver = false;
    const wasCalm = isCalm();
    const patience: Scheduled = world.schedule(null, wasCalm ? calmMs : world.between(...patienceMs), () => finish('nothing'));

    function finish(answer: readonly LineResult[] | 'nothing' | Error): void {
      if (isOver) return;
      isOver = true;
      patience.cancelled = true;
      if (answer !== 'nothing' && !(answer instanceof Error)) return accept(number, answer);
      if (wasCalm) world.violation(`body ${number} of ${name} had no answer from ${incarnation.name}, though all is well`);
      world.count('a bank was not answered');
      world.trace(`bank ${name} got no answer to body ${number}${answer instanceof Error ? `: ${answer.message}` : ''}`);
      world.schedule(null, world.latencyMs() * 10, () => send(number), true);
    }

    world.schedule(incarnation, world.latencyMs(), () => {
      const deliver = (answer: readonly LineResult[] | Error): void => {
        if (world.chance(trouble().losesAnswer)) return;
        world.schedule(null, world.latencyMs(), () => finish(answer));
      };
      intake!.accept(body(bodies[number]!)).then(deliver, (fault: unknown) => {
        const error = fault instanceof Error ? fault : new Error(String(fault));
        if (!('retriable' in error && error.retriable === true)) world.violation(`intake threw ${error.name}: ${error.message}`);
        deliver(error);
      });
    });
  }

  function accept(number: number, results: readonly LineResult[]): void {
    const strange = results.find(({ status }) => status !== 'accepted' && status !== 'duplicate');
    if (strange || results.length !== bodies[number]!.length)
      world.violation(`body ${number} of ${name} was answered ${JSON.stringify(strange ?? results.length)}`);
    world.trace(`bank ${name} has its answer to body ${number}`);
    if (again.length > 0) again.shift();
    else {
      answered = number + 1;
      if (world.chance(trouble().repeats)) again.push(world.between(0, number));
    }
    next();
  }

  return {
    sendUpTo(count) {
      goal = Math.min(count, bodies.length);
      if (!isBusy) next();
    },
    sendAgain(count) {
      again.push(...Array.from({ length: count }, (_, number) => number));
      if (!isBusy) next();
    },
    get answered() {
      return answered;
    },
    isWaiting: () => !isBusy,
  };
}
