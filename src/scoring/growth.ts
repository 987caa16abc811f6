/** A table grows by half once it is large: doubling would leave up to half of it unused. Stays a multiple of what fits a leg. */
export function widerLength(length: number): number {
  const step = length < 1 << 20 ? length : length / 2;
  return length + Math.ceil(step / multiple) * multiple;
}

/** A leg is eight numbers. */
const multiple = 24;
