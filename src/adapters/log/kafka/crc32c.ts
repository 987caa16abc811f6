/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes a step: record batches carry it. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1;
  let at = 0;
  const end = bytes.length - 7;
  for (; at < end; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at++) crc = t0[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

const polynomialReversed = 0x82f63b78;
const [t0, t1, t2, t3, t4, t5, t6, t7] = makeTables();

function makeTables(): [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array] {
  const table = () => new Int32Array(256);
  const tables = [table(), table(), table(), table(), table(), table(), table(), table()] as const;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomialReversed : crc >>> 1;
    tables[0][byte] = crc;
  }
  for (let i = 1; i < 8; i++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[i - 1]![byte]!;
      tables[i]![byte] = tables[0][before & 0xff]! ^ (before >>> 8);
    }
  }
  return [...tables];
}
