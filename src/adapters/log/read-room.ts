/**
 * Room for the records of one batch, to be used again for the next: buffers of their own for each would be freed only by a
 * collection of the whole heap, which so many of them make frequent.
 */
export interface ReadRoom {
  /** A copy that stays until `clear`. */
  hold(bytes: Uint8Array): Buffer;
  clear(): void;
}

const bytesMin = 64 * 1024;
/** After a larger batch it shrinks again. */
const bytesKept = 8 * 2 ** 20;

export function createReadRoom(): ReadRoom {
  let buffer = Buffer.allocUnsafeSlow(bytesMin);
  let used = 0;
  return {
    hold(bytes) {
      if (used + bytes.length > buffer.length) {
        // What was held before keeps the buffer that it lies in.
        buffer = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, bytes.length));
        used = 0;
      }
      const held = buffer.subarray(used, used + bytes.length);
      held.set(bytes);
      used += bytes.length;
      return held;
    },
    clear() {
      used = 0;
      if (buffer.length > bytesKept) buffer = Buffer.allocUnsafeSlow(bytesMin);
    },
  };
}
