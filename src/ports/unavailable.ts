/** The log or the state cannot be reached just now; what was asked for may or may not have happened. */
export class Unavailable extends Error {
  readonly retriable = true;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Unavailable';
  }
}
