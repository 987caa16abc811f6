import { personName } from './names.js';
import { hash32 } from './random.js';

/** What online banking is done with. */
export interface Device {
  readonly id?: string;
  readonly ip?: string;
  readonly mac?: string;
}

/** How an enterprise usually pays on line: one machine, two people who take turns. */
export interface Habit {
  readonly device: Required<Device>;
  readonly operators: readonly [string, string];
}

export function habitOf(seed: number, account: number): Habit {
  const hash = hash32(seed, account, 71);
  return { device: usualDeviceOf(seed, account), operators: [personName(hash32(hash, 72, 0)), personName(hash32(hash, 72, 1))] };
}

export function usualDeviceOf(seed: number, account: number): Required<Device> {
  return deviceOf(hash32(seed, account, 71));
}

/** A machine that follows from a number. */
export function deviceOf(hash: number): Required<Device> {
  const id = hash.toString(16).padStart(8, '0');
  return {
    id,
    // Addresses from 240.0.0.0 on are reserved: nobody has one.
    ip: `${240 + (hash >>> 28)}.${(hash >>> 20) & 255}.${(hash >>> 12) & 255}.${(hash >>> 4) & 255}`,
    // Locally administered addresses belong to no maker; the block reserved for documents holds only 256.
    mac: `02:00:${id.slice(0, 2)}:${id.slice(2, 4)}:${id.slice(4, 6)}:${id.slice(6)}`,
  };
}
