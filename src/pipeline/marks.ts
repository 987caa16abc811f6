import type { State } from '../ports/state.js';

/** Small durable notes of the platform about itself. */
export interface Marks {
  get(name: string): Promise<string | null>;
  set(name: string, value: string): Promise<void>;
}

const slot = 'marks';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function createMarks(state: State): Marks {
  return {
    async get(name) {
      const [value] = await state.get(slot, [name]);
      return value ? decoder.decode(value) : null;
    },
    async set(name, value) {
      await state.commit(slot, { put: [{ key: name, value: encoder.encode(value) }] });
    },
  };
}
