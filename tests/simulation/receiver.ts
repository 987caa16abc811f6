import type { Channel, Message, Outcome } from '../../src/ports/channel.js';
import type { Incarnation, World } from './world.js';

/** Those who are told: what reached them over a webhook, and what they answered. */
export interface Receiver {
  readonly received: readonly Message[];
  channelOf(owner: Incarnation): Channel;
  /** Share of attempts that fail, and of those whose answer is lost though the message came. */
  trouble: { fails: number; losesAnswer: number };
  /** Share of messages that are acknowledged at once. */
  acknowledges: number;
}

export function createReceiver(world: World): Receiver {
  const received: Message[] = [];
  const ids = new Set<string>();

  function take(message: Message): void {
    if (ids.has(message.deliveryId)) world.count('a webhook came again under its id');
    ids.add(message.deliveryId);
    world.trace(`${message.deliveryId} reaches ${message.target.recipient}`);
    received.push(message);
  }

  const receiver: Receiver = {
    received,
    trouble: { fails: 0, losesAnswer: 0 },
    acknowledges: 0,
    channelOf: (owner) => ({
      name: 'webhook',
      deliver: (message, signal) =>
        new Promise<Outcome>((resolve) => {
          const stopListening = world.onAbort(signal, () => resolve({ kind: 'retry', reason: 'given up' }));
          const answer = (outcome: Outcome): void => {
            world.schedule(
              owner,
              world.latencyMs(),
              () => {
                stopListening();
                resolve(outcome);
              },
              true,
            );
          };
          const { fails, losesAnswer } = receiver.trouble;
          world.schedule(
            null,
            world.latencyMs(),
            () => {
              if (world.chance(fails)) return answer({ kind: 'retry', reason: 'status 503' });
              take(message);
              if (world.chance(losesAnswer)) {
                world.count('a webhook came and its answer was lost');
                return answer({ kind: 'retry', reason: 'no answer' });
              }
              answer({ kind: 'delivered', status: 200, acknowledged: world.chance(receiver.acknowledges) });
            },
            true,
          );
        }),
    }),
  };
  return receiver;
}
