/** Why a port cannot be listened on, in words for who starts the platform. */
export class ListenError extends Error {
  readonly retriable = false;
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ListenError';
  }
}

export function plainListenError(error: unknown, { host, port }: { host: string; port: number }): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const place = `${host}:${port}`;
  if (code === 'EADDRINUSE')
    return new ListenError(
      `${place} is taken by another process; stop it or choose another port with --port or HUQI_PORT`,
      error,
    );
  if (code === 'EACCES') return new ListenError(`${place} may not be opened by this user; choose a port from 1024 on`, error);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new ListenError(`${host} is no address of this machine; set HUQI_HOST`, error);
  return error;
}
