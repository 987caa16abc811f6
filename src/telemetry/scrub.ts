import { maskAccount, maskText } from '../domain/privacy.js';

const textMax = 500;

/**
 * Text from elsewhere (an engine's error message, an endpoint's answer) made fit for a log line: numbers are masked as in any text
 * that people see, and other runs of ten or more digits as if they were account numbers; secrets of webhooks and keys are dropped,
 * and the length is bounded.
 */
export function scrub(text: string): string {
  const short = text.length > textMax ? `${text.slice(0, textMax)}…` : text;
  const unsecret = short.replace(/whsec_[A-Za-z0-9+/=_-]+/g, 'whsec_***').replace(/huqi_[a-z]+_[A-Za-z0-9_-]{16,}/g, 'huqi_***');
  return maskText(unsecret).replace(/\d{10,}/g, (digits) => maskAccount(digits));
}

/** The message of a fault with its causes, scrubbed. */
export function describeFault(fault: unknown): string {
  const parts: string[] = [];
  let current: unknown = fault;
  for (let depth = 0; depth < 4 && current !== undefined && current !== null; depth++) {
    parts.push(current instanceof Error ? current.message : textOf(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return scrub(parts.join(': '));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value);
}
