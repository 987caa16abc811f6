/** Talks to the platform that served this page. The key lives in this tab only. */

const keyName = 'huqi.key';
const officerName = 'huqi.officer';
const requestTimeoutMs = 10_000;

export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
    this.name = 'Refused';
  }
}

export const session = {
  key: () => sessionStorage.getItem(keyName) ?? '',
  officer: () => sessionStorage.getItem(officerName) ?? '',
  keep(key: string, officer: string) {
    sessionStorage.setItem(keyName, key);
    sessionStorage.setItem(officerName, officer);
  },
  forget() {
    sessionStorage.removeItem(keyName);
  },
};

/** The page may be served below a prefix by a proxy. */
export function address(path: string): string {
  return new URL(`.${path}`, document.baseURI).href;
}

export function authorization(): Record<string, string> {
  const key = session.key();
  return key === '' ? {} : { authorization: `Bearer ${key}` };
}

export async function getJson<T>(path: string): Promise<T> {
  return (await send(path, { headers: authorization() })) as T;
}

export async function postJson<T>(path: string, body: object): Promise<T> {
  return (await send(path, {
    method: 'POST',
    headers: { ...authorization(), 'content-type': 'application/json', 'idempotency-key': randomKey() },
    body: JSON.stringify(body),
  })) as T;
}

/** @throws Refused with the problem's detail. */
async function send(path: string, request: RequestInit): Promise<unknown> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), requestTimeoutMs);
  try {
    const response = await fetch(address(path), { ...request, signal: stop.signal });
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok) throw new Refused(response.status, readDetail(body) ?? String(response.status));
    return body;
  } finally {
    clearTimeout(timer);
  }
}

function readDetail(body: unknown): string | null {
  if (typeof body !== 'object' || body === null || !('detail' in body)) return null;
  return typeof body.detail === 'string' ? body.detail : null;
}

function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
