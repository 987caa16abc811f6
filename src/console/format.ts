import { formatShanghai } from '../domain/bank-day.js';
import { formatWanIn } from '../domain/money.js';
import type { Language } from './messages.js';

/** Chinese readers count in 万元, English ones in full yuan. */
export function formatAmount(amountFen: number, currency: string, language: Language): string {
  if (language === 'zh') return formatWanIn(currency, amountFen);
  const whole = (amountFen / 100).toLocaleString('en-US', { maximumFractionDigits: amountFen % 100 === 0 ? 0 : 2 });
  return currency === 'CNY' ? `¥${whole}` : `${currency} ${whole}`;
}

/** Asia/Shanghai; the date only where it is not today's. */
export function formatMoment(iso: string, nowMs: number): { date: string; time: string } {
  const text = formatShanghai(Date.parse(iso));
  const date = text.slice(0, 10);
  return { date: date === formatShanghai(nowMs).slice(0, 10) ? '' : date, time: text.slice(11, 19) };
}

export function formatFull(iso: string): string {
  return formatShanghai(Date.parse(iso)).slice(0, 19).replace('T', ' ');
}

const weekdays: Readonly<Record<Language, readonly string[]>> = {
  zh: ['周日', '周一', '周二', '周三', '周四', '周五', '周六'],
  en: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'],
};

export function formatClock(nowMs: number, language: Language): string {
  const text = formatShanghai(nowMs);
  const weekday = weekdays[language][new Date(nowMs + 8 * 3_600_000).getUTCDay()] ?? '';
  return `${text.slice(0, 10)} ${weekday} ${text.slice(11, 19)}`;
}

/** `14:59`, `1:02:03`; null when the time is over. */
export function formatCountdown(dueMs: number, nowMs: number): string | null {
  const seconds = Math.ceil((dueMs - nowMs) / 1000);
  if (seconds <= 0) return null;
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const pad = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${pad(m)}:${pad(s)}`;
}

export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
