import { type Population, roleOf } from '../population.js';
import { plainProfile } from '../profiles.js';
import { hash32 } from '../random.js';
import type { AnyStagedRecord } from '../reference-line.js';
import type { Scenery } from '../scenery.js';
import { identityOf } from '../identity.js';
import { at, type Page } from './intent.js';
import { monthlyExpenseFen } from './standing.js';
import { agentOf, agentsOf, centreDevices, employeeAt, parkAddresses, staffOf, townHabit, townProfiles } from './town.js';

/** What banks and centres know of the town. */
export function townScenery(population: Population, firstDay: number, days: number): Scenery {
  const profiles = townProfiles(population, firstDay, days);
  const { seed } = population;
  return {
    population,
    firstDay,
    profiles,
    habit: (account) => townHabit(population, account),
    profile(account, identity) {
      switch (roleOf(population, account)) {
        case 'firm': {
          const monthlyFen = Math.round(monthlyExpenseFen(population, account) * 1.3);
          const plain = plainProfile({ seed, account, identity, monthlyFen });
          const staff = staffOf(population, account);
          const employees = [...new Set(Array.from({ length: staff }, (_, i) => employeeAt(population, account, i)))];
          const owner = identityOf(population, profiles, firstDay, employees[0]!).name;
          const agent = agentOf(population, account);
          return { ...plain, legalRep: owner, insuredStaff: staff, employees, ...(agent && { agent: agent.name }) };
        }
        case 'idle':
          return plainProfile({ seed, account, identity, monthlyFen: 5_000_000_000 });
        default:
          return plainProfile({
            seed,
            account,
            identity,
            monthlyFen: 20_000_000 + (hash32(seed, account, 36) % 180) * 1_000_000,
          });
      }
    },
  };
}

/** Addresses of parks, and bookkeeping agents with their machines: what makes sharing harmless. */
export function* townLists(population: Population): Generator<AnyStagedRecord> {
  yield centreList(population);
  yield { type: 'list', list: 'nat-ips', action: 'add', entries: parkAddresses(population) };
  for (const { name, operator, device } of agentsOf(population)) {
    const { id, ip, mac } = device;
    yield { type: 'list', list: 'bookkeeping-agents', action: 'add', entries: [name, operator, id, ip, mac] };
  }
}

/** Machines of offices that pay for a whole group. */
function centreList(population: Population): AnyStagedRecord {
  const entries = centreDevices(population).flatMap(({ id, ip, mac }) => [id, ip, mac]);
  return { type: 'list', list: 'white', action: 'add', entries };
}

const harmless = ['phone', 'operator', 'token', 'limit', 'seal', 'address'] as const;

/** A firm tells its bank something new, as firms do. */
export function accountChangeOf(page: Page, firm: number): { timeMs: number; record: AnyStagedRecord } | undefined {
  if (page.victims.has(firm)) return undefined;
  return { timeMs: at(page), record: { type: 'account-change', account: firm, what: page.random.pick(harmless) } };
}
