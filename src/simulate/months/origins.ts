import { type Device, deviceOf } from '../devices.js';
import { type Place, distantCities, henanCity } from '../places.js';
import type { Population } from '../population.js';
import { hash32, itemAt } from '../random.js';
import type { AnyStagedRecord } from '../reference-line.js';
import { townDevice, townHabit } from './town.js';

/** With what and from where a firm pays on a day: mostly its usual machine, and the harmless exceptions. */
export interface Origin {
  /** Where it differs from the habit. */
  readonly device?: Device;
  /** Two digits of the province. */
  readonly province: number;
  readonly place: Place;
}

/** One firm in ten has an address that its provider changes every week. */
const isDynamic = (hash: number): boolean => hash % 10 === 4;
/** Machines last three years or so. */
const machineDays = 1_000;
/** One day in a thousand the clerk is on a journey. */
const journeys = 1_000;

export function originOf(population: Population, firm: number, day: number): Origin {
  const { seed } = population;
  const hash = hash32(seed, firm, 161);
  const habit = townDevice(population, firm);
  const home = henanCity(hash32(seed, firm, 41));
  const journey = hash32(hash, day, 162);
  if (journey % journeys === 0) {
    const place = itemAt(distantCities, journey >>> 12);
    return { device: { ...habit, ip: deviceOf(journey).ip }, province: Number(place.region.slice(0, 2)), place };
  }
  const machine = Math.floor((day + (hash % machineDays)) / machineDays);
  const isReplaced = machine !== Math.floor((20_000 + (hash % machineDays)) / machineDays);
  const replaced = isReplaced ? { ...deviceOf(hash32(hash, machine, 163)), ip: habit.ip } : habit;
  const device = isDynamic(hash) ? { ...replaced, ip: deviceOf(hash32(hash, Math.floor(day / 7), 164)).ip } : replaced;
  const common = { province: 41, place: home };
  return device === habit ? common : { ...common, device };
}

/** The phone with which the firm's clerk pays on the way. */
export function phoneOf({ seed }: Population, firm: number): Device {
  const { id, ip } = deviceOf(hash32(seed, firm, 165));
  return { id, ip };
}

/** Banks of one firm in three tell who logs in. */
export const tellsLogins = ({ seed }: Population, firm: number): boolean => hash32(seed, firm, 166) % 3 === 0;

/** Latitude and longitude of the cities of Henan, in the order of `henanCities`, by the region's third and fourth digit. */
const coordinates: Readonly<Record<string, readonly [number, number]>> = {
  '410100': [34.75, 113.65],
  '410200': [34.8, 114.31],
  '410300': [34.62, 112.45],
  '410400': [33.77, 113.19],
  '410500': [36.1, 114.39],
  '410600': [35.75, 114.3],
  '410700': [35.3, 113.93],
  '410800': [35.22, 113.24],
  '410900': [35.76, 115.03],
  '411000': [34.04, 113.85],
  '411100': [33.58, 114.02],
  '411200': [34.77, 111.2],
  '411300': [32.99, 112.53],
  '411400': [34.41, 115.66],
  '411500': [32.15, 114.09],
  '411600': [33.63, 114.7],
  '411700': [33.01, 114.02],
  '419001': [35.07, 112.6],
};

export function loginOf(population: Population, firm: number, day: number, origin: Origin): AnyStagedRecord {
  const { device, operators } = townHabit(population, firm);
  const position = coordinates[origin.place.region];
  return {
    type: 'login',
    account: firm,
    session: `s-${firm.toString(36)}-${day.toString(36)}`,
    step: 'login',
    device: origin.device ?? device,
    operator: operators[day % 2]!,
    province: origin.province,
    ...(position ? { latitude: position[0], longitude: position[1] } : {}),
  };
}
