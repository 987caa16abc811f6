import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from './dependencies.js';
import { Problem } from './problem.js';

/**
 * Who may use a route. `open`: anyone. `read`: a centre's key, or nobody's when reading is open. `intake`: a bank's or a
 * centre's key. `write`: a centre's key. Enterprises' keys open nothing yet: a warning names other parties, and a suspected
 * mule must never be told (反洗钱法 2024, art. 35).
 */
export type Access = 'open' | 'read' | 'intake' | 'write';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** Streams are bounded by their own number of clients. */
    longLived?: boolean;
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
}

export interface SecurityOptions {
  readonly openReading: boolean;
  readonly authenticate: (key: string) => Caller | null;
  readonly concurrentRequestsMax: number;
}

/** The answer tells whether a request that was let in would be let in now: its key may have been removed meanwhile. */
export function installSecurity(app: FastifyInstance, options: SecurityOptions): (request: FastifyRequest) => boolean {
  boundConcurrency(app, options.concurrentRequestsMax);
  app.decorateRequest('caller', null);
  // A route without a declared access would be open by mistake: it cannot be added at all.
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined) throw new Error(`${String(route.method)} ${route.url}: declare config.access`);
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const access = request.routeOptions.config.access;
    if (access === undefined || access === 'open') return done();
    const refusal = decide(request, access, options);
    if (refusal) return done(refusal);
    done();
  });
  return (request) => {
    const access = request.routeOptions.config.access;
    return access === undefined || access === 'open' || decide(request, access, options) === null;
  };
}

function decide(request: FastifyRequest, access: Access, options: SecurityOptions): Problem | null {
  const header = request.headers.authorization;
  if (header === undefined) {
    if (access === 'read' && options.openReading && isLoopbackName(request.headers.host)) return null;
    return unauthorized('This needs a key: send "Authorization: Bearer <key>".');
  }
  const key = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(header)?.[1];
  if (key === undefined) return unauthorized('The Authorization header is not "Bearer <key>".');
  const caller = options.authenticate(key);
  if (caller === null) return unauthorized('The key is not known. Ask the centre for a new one.');
  request.caller = caller;
  if (caller.role === 'centre' || (caller.role === 'bank' && access === 'intake')) return null;
  const may =
    caller.role === 'bank'
      ? 'A bank key may only send transactions and reference records.'
      : 'An enterprise key may not use this address.';
  return new Problem(403, 'forbidden', may);
}

function unauthorized(detail: string): Problem {
  return new Problem(401, 'unauthorized', detail, { headers: { 'www-authenticate': 'Bearer realm="huqi"' } });
}

/** Open reading is for this machine: a foreign Host is another site's page (DNS rebinding) or a proxy's public name. */
function isLoopbackName(host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (name === 'localhost' || name === '[::1]') return true;
  return isIP(name) === 4 && name.startsWith('127.');
}

function boundConcurrency(app: FastifyInstance, max: number): void {
  let running = 0;
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.longLived) return done();
    if (running >= max) {
      return done(new Problem(503, 'busy', `More than ${max} requests are being served. Send it again.`, { retryAfterS: 1 }));
    }
    running++;
    reply.raw.once('close', () => {
      running--;
    });
    done();
  });
}

/** Counts what runs at once; `enter` gives a leave function, or null when all places are taken. */
export function createGate(max: number): { enter(): (() => void) | null; readonly inside: number } {
  let inside = 0;
  return {
    enter() {
      if (inside >= max) return null;
      inside++;
      let left = false;
      return () => {
        if (!left) inside--;
        left = true;
      };
    },
    get inside() {
      return inside;
    },
  };
}

/** The same with a bound for each holder besides: nobody can take the places of all. `enter` gives what is in the way. */
export function createSharedGate(max: number, holderMax: number): { enter(holder: string): (() => void) | 'full' | 'share' } {
  const all = createGate(max);
  const holders = new Map<string, ReturnType<typeof createGate>>();
  return {
    enter(holder) {
      const own = holders.get(holder) ?? createGate(holderMax);
      const leaveOwn = own.enter();
      if (!leaveOwn) return 'share';
      const leaveAll = all.enter();
      if (!leaveAll) {
        leaveOwn();
        return 'full';
      }
      holders.set(holder, own);
      return () => {
        leaveOwn();
        leaveAll();
        if (own.inside === 0) holders.delete(holder);
      };
    },
  };
}
