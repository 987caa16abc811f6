import type { PresentedWarning } from '../http/present.js';
import { address, authorization } from './api.js';

export type StreamState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'waiting'; readonly retryAtMs: number }
  | { readonly kind: 'locked' };

export interface StreamHandlers {
  onWarning(warning: PresentedWarning): void;
  onState(state: StreamState): void;
  /** What came after the last event is no longer kept: everything shown must be read anew. */
  onGap(): void;
}

const retryMsMin = 500;
const retryMsMax = 10_000;
/** The server says something every 15 s; a connection that is silent for longer is dead. */
const silentMsMax = 40_000;

/**
 * The live feed over fetch (an EventSource cannot send a key). Goes on after the last event it has seen, for ever, with
 * growing pauses; stops where a key is needed, until `restart`.
 */
export function openStream(handlers: StreamHandlers): { restart(): void } {
  let lastEventId = '';
  let retryMs = retryMsMin;
  let attempt = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const connect = async (): Promise<void> => {
    const stop = (attempt = new AbortController());
    handlers.onState({ kind: 'connecting' });
    const outcome = await follow(stop);
    if (stop !== attempt) return;
    if (outcome === 'locked') return handlers.onState({ kind: 'locked' });
    if (outcome === 'gap') {
      lastEventId = '';
      handlers.onGap();
    }
    const pauseMs = retryMs * (0.75 + Math.random() / 2);
    retryMs = Math.min(retryMs * 2, retryMsMax);
    handlers.onState({ kind: 'waiting', retryAtMs: Date.now() + pauseMs });
    timer = setTimeout(start, pauseMs);
  };

  /** Reads one connection to its end. */
  const follow = async (stop: AbortController): Promise<'ended' | 'locked' | 'gap'> => {
    let watchdog = setTimeout(() => stop.abort(), silentMsMax);
    try {
      const resume: Record<string, string> = lastEventId === '' ? {} : { 'last-event-id': lastEventId };
      const headers = { accept: 'text/event-stream', ...authorization(), ...resume };
      const response = await fetch(address('/v1/stream?from=recent'), { headers, signal: stop.signal, cache: 'no-store' });
      if (response.status === 401 || response.status === 403) return 'locked';
      if (response.status === 410 || (response.status === 400 && lastEventId !== '')) return 'gap';
      if (!response.ok || !response.body) return 'ended';
      handlers.onState({ kind: 'live' });
      const parse = createEventParser();
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return 'ended';
        clearTimeout(watchdog);
        watchdog = setTimeout(() => stop.abort(), silentMsMax);
        retryMs = retryMsMin;
        for (const event of parse(decoder.decode(value, { stream: true }))) {
          handlers.onWarning(JSON.parse(event.data) as PresentedWarning);
          lastEventId = event.id;
        }
      }
    } catch {
      return 'ended';
    } finally {
      clearTimeout(watchdog);
    }
  };

  function start(): void {
    attempt.abort();
    clearTimeout(timer);
    void connect();
  }

  start();
  // A laptop that wakes up should not wait out its pause.
  addEventListener('online', start);
  return {
    restart() {
      retryMs = retryMsMin;
      start();
    },
  };
}

/** Splits text into server-sent events; comments and events without data are dropped. */
export function createEventParser(): (text: string) => { id: string; data: string }[] {
  let rest = '';
  return (text) => {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      let id = '';
      let data = '';
      for (const line of block.split('\n')) {
        if (line.startsWith('id: ')) id = line.slice(4);
        else if (line.startsWith('data: ')) data += line.slice(6);
      }
      return data === '' ? [] : [{ id, data }];
    });
  };
}
