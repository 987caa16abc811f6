import type { Payment } from './payment.js';
import { employeeOf, isPayrollFirm, payrollFirmAt } from './population.js';
import type { Market } from './purse.js';
import { hash32 } from './random.js';

/** Salaries: an enterprise is paid by a customer and then pays its people in one run, the same people every month. */
export interface Payroll {
  /** The next payment of the day's runs; undefined when every enterprise has paid. */
  readonly next: (day: number) => Payment | undefined;
  /** A salary of an earlier month. */
  readonly early: () => Payment | undefined;
}

/** A customer's payment to an enterprise, up to the wanted amount. */
type Fund = (firm: number, wantFen: number) => Payment | undefined;

/** Runs that are under way at the same time. */
const runsMax = 3;

interface Run {
  readonly turn: number;
  position: number;
}

export function createPayroll({ population, ledger, random }: Market, fund: Fund): Payroll {
  const state = { day: -1, turn: 0, runs: [] as Run[] };

  return {
    next(day) {
      if (day !== state.day) Object.assign(state, { day, turn: 0, runs: [] });
      if (state.runs.length < runsMax && payrollFirmAt(state.turn) < population.firms) return begin();
      const run = state.runs[0];
      if (!run) return undefined;
      const payment = salary(run.turn, run.position++);
      if (run.position >= population.employeesPerFirm || !payment) state.runs.shift();
      return payment;
    },
    early() {
      const turns = Math.floor((population.firms + 17) / 25);
      return turns > 0 ? salary(random.below(turns), random.below(population.employeesPerFirm)) : undefined;
    },
  };

  function begin(): Payment | undefined {
    const turn = state.turn++;
    state.runs.push({ turn, position: 0 });
    const wantFen = population.employeesPerFirm * Math.round(random.within(700_000, 1_100_000));
    return fund(payrollFirmAt(turn), wantFen);
  }

  function salary(turn: number, position: number): Payment | undefined {
    const payer = payrollFirmAt(turn);
    const payee = employeeOf(population, turn, position);
    const amountFen = 400_000 + (hash32(population.seed, payee, 51) % 1_200_000);
    if (!isPayrollFirm(payer) || ledger.availableFen(payer) < amountFen * 4) return undefined;
    return { payer, payee, amountFen, remark: '工资', channel: 'batch' };
  }
}
