/** For `PartitionProcessor.failed`: a fault of what goes on beside the batches. The first one counts. */
export interface Failure {
  readonly failed: Promise<never>;
  readonly fail: (fault: unknown) => void;
}

export function createFailure(): Failure {
  let fail: (fault: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Whoever opened the partition may be gone before it looks.
  failed.catch(() => undefined);
  return { failed, fail };
}
