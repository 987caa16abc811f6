/**
 * Buffers that are used again. Freed ones are collected only with the whole heap, and so many megabytes a second make that
 * frequent. Sizes are powers of two; small ones are not worth it.
 */
export interface BufferPool {
  /** Of at least so many bytes, with anything in it. */
  take(bytes: number): Buffer;
  /** Nobody uses it any more. */
  give(buffer: Buffer): void;
}

const bytesMin = 16 * 1024;

/** `bytesMax`: what lies ready at most. */
export function createBufferPool(bytesMax: number): BufferPool {
  const bySize = new Map<number, Buffer[]>();
  let ready = 0;
  return {
    take(bytes) {
      if (bytes < bytesMin) return Buffer.allocUnsafeSlow(bytes);
      const size = 2 ** Math.ceil(Math.log2(bytes));
      const buffer = bySize.get(size)?.pop();
      if (!buffer) return Buffer.allocUnsafeSlow(size);
      ready -= size;
      return buffer;
    },
    give(buffer) {
      const size = buffer.length;
      if (size < bytesMin || ready + size > bytesMax) return;
      ready += size;
      const known = bySize.get(size);
      if (known) known.push(buffer);
      else bySize.set(size, [buffer]);
    },
  };
}
