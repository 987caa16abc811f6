import { dayMs } from '../domain/bank-day.js';
import type { RowPool } from './row-pool.js';

/** The latest login (or step of a session) of an account as at a time, with what follows from those before it. */
export interface LoginView {
  readonly ageSeconds: number;
  /** Two digits, 0 abroad, NaN where the record does not say. */
  readonly province: number;
  readonly isAbroad: boolean;
  readonly isRemoteControlled: boolean;
  /**
   * Not among the provinces of the 90 days before it. False for the first login with a province: there is nothing to differ
   * from. Earlier steps of the same session do not make a province known.
   */
  readonly newProvince: boolean;
  /**
   * From the place of the latest record before this session by the same hand (see `isSameHolder`), over at least a second: two clerks
   * in two cities are no journey. NaN unless both have coordinates.
   */
  readonly speedKmh: number;
  /** Different IPs of its session so far; of the record alone where it names no session. */
  readonly ips: number;
  /**
   * Seconds from the latest maker step to the checker step that came from the same MAC or IP. The checker step is the latest
   * of this session; NaN where the session has none, or no maker step shares its MAC or IP.
   */
  readonly sameHandSeconds: number;
}

export const loginSteps = ['login', 'maker', 'checker'] as const;
const maker = loginSteps.indexOf('maker');
const checker = loginSteps.indexOf('checker');

/** Columns of a login's row. `rank` is its step; session, ip, mac, operator and device are keys of the texts, 0 where absent. */
export const loginColumn = {
  timeMs: 0,
  rank: 1,
  key: 2,
  session: 3,
  ip: 4,
  mac: 5,
  province: 6,
  latitude: 7,
  longitude: 8,
  remote: 9,
  operator: 10,
  device: 11,
} as const;

const provinceMs = 90 * dayMs;
const earthRadiusKm = 6371.0088;

/** `own` is a row of a chain from new to old; rows before `oldestMs` are not looked at. */
export function viewOfLogin(logins: RowPool, own: number, atMs: number, oldestMs: number): LoginView {
  const of = (row: number, column: number): number => logins.numbers[row * logins.width + column]!;
  const timeMs = of(own, loginColumn.timeMs);
  const province = of(own, loginColumn.province);
  const session = of(own, loginColumn.session);
  const ips = new Set<number>();
  let before = -1;
  let isKnownPlace = false;
  let hasPlaces = false;
  let checked = -1;
  let sameHandSeconds = NaN;

  for (let row = own; row >= 0 && of(row, loginColumn.timeMs) >= oldestMs; row = logins.next[row]!) {
    const isOfSession = row === own || (session !== 0 && of(row, loginColumn.session) === session);
    const step = of(row, loginColumn.rank);
    if (isOfSession) {
      if (of(row, loginColumn.ip) !== 0) ips.add(of(row, loginColumn.ip));
      if (checked < 0 && step === checker) checked = row;
    } else {
      if (before < 0 && isSameHolder(of, row, own)) before = row;
      const other = of(row, loginColumn.province);
      if (!Number.isNaN(other)) hasPlaces = true;
      if (other === province && timeMs - of(row, loginColumn.timeMs) <= provinceMs) isKnownPlace = true;
    }
    if (checked >= 0 && step === maker && Number.isNaN(sameHandSeconds) && isSameHand(of, row, checked))
      sameHandSeconds = (of(checked, loginColumn.timeMs) - of(row, loginColumn.timeMs)) / 1000;
  }
  return {
    ageSeconds: (atMs - timeMs) / 1000,
    province,
    isAbroad: province === 0,
    isRemoteControlled: of(own, loginColumn.remote) === 1,
    newProvince: hasPlaces && !isKnownPlace && !Number.isNaN(province),
    speedKmh: before < 0 ? NaN : speed(of, before, own),
    ips: ips.size,
    sameHandSeconds,
  };
}

type Column = (row: number, column: number) => number;

/**
 * The same operator logged in; where the later record names none, the same device, told by its id or MAC. Records that name neither
 * are taken for one hand.
 */
function isSameHolder(of: Column, row: number, own: number): boolean {
  const { operator, device, mac } = loginColumn;
  const isEqual = (column: number): boolean => of(own, column) !== 0 && of(row, column) === of(own, column);
  if (of(own, operator) !== 0) return isEqual(operator);
  if (of(own, device) !== 0 || of(own, mac) !== 0) return isEqual(device) || isEqual(mac);
  return of(row, operator) === 0 && of(row, device) === 0 && of(row, mac) === 0;
}

function isSameHand(of: Column, row: number, other: number): boolean {
  const { mac, ip } = loginColumn;
  return (of(row, mac) !== 0 && of(row, mac) === of(other, mac)) || (of(row, ip) !== 0 && of(row, ip) === of(other, ip));
}

function speed(of: Column, from: number, to: number): number {
  const { latitude, longitude, timeMs } = loginColumn;
  const km = distanceKm(of(from, latitude), of(from, longitude), of(to, latitude), of(to, longitude));
  return km / (Math.max(of(to, timeMs) - of(from, timeMs), 1000) / 3_600_000);
}

/** Great-circle distance (haversine) between two places in degrees. */
function distanceKm(latitude1: number, longitude1: number, latitude2: number, longitude2: number): number {
  const radians = Math.PI / 180;
  const acrossLatitude = Math.sin(((latitude2 - latitude1) * radians) / 2);
  const acrossLongitude = Math.sin(((longitude2 - longitude1) * radians) / 2);
  const h =
    acrossLatitude * acrossLatitude +
    Math.cos(latitude1 * radians) * Math.cos(latitude2 * radians) * acrossLongitude * acrossLongitude;
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(h)));
}
