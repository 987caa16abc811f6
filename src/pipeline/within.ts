/** What the work gives; rejects where that takes longer than `ms`. The work itself goes on. */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const limit = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('no answer in time')), ms).unref();
  });
  return Promise.race([work, limit]);
}
