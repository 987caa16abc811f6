import { describe, expect, it } from 'vitest';
import { loadCatalogue } from '../../src/catalogue.js';
import { dayNumber, formatDay } from '../../src/domain/bank-day.js';
import {
  calendarEndMs,
  calendarSchema,
  createCalendar,
  UnknownCalendarYear,
  type CalendarData,
} from '../../src/domain/calendar.js';

const { calendar: data } = await loadCatalogue('config');
const day = (text: string) => dayNumber(Date.parse(`${text}T12:00:00+08:00`));

describe('the working-day calendar', () => {
  const calendar = createCalendar(data);

  it('says where it ends: with its last year, at once without any', () => {
    expect(calendarEndMs({ source: 'x', years: {} })).toBe(0);
    const { 2024: first, 2026: last } = data.years;
    expect(calendarEndMs({ source: 'x', years: { 2026: last!, 2024: first! } })).toBe(Date.parse('2027-01-01T00:00:00+08:00'));
    const known = Math.max(...Object.keys(data.years).map(Number));
    expect(new Date(calendarEndMs(data) + 8 * 3_600_000).toISOString()).toBe(`${known + 1}-01-01T00:00:00.000Z`);
  });

  it.each([
    ['2026-07-01', true, 'an ordinary Wednesday'],
    ['2026-07-03', true, 'a Friday'],
    ['2026-07-04', false, 'a Saturday'],
    ['2026-07-05', false, 'a Sunday'],
    ['2026-09-30', true, 'the day before National Day'],
    ['2026-10-01', false, 'the first day of National Day'],
    ['2026-10-07', false, 'the last day of National Day'],
    ['2026-10-08', true, 'the day after National Day'],
    ['2026-10-10', true, 'a Saturday that is worked'],
    ['2026-10-11', false, 'the Sunday after it'],
    ['2026-02-14', true, 'the Saturday worked before Spring Festival'],
    ['2026-02-15', false, 'the first day of Spring Festival'],
    ['2026-02-23', false, 'the last day of Spring Festival, a Monday'],
    ['2026-02-24', true, 'the day after Spring Festival'],
    ['2025-01-26', true, 'a Sunday that is worked'],
    ['2024-01-01', false, 'the first day of the first year known'],
    ['2024-02-29', true, 'a leap day'],
    ['2026-12-31', true, 'the last day of the last year known'],
  ])('%s: works %s, %s', (text, works) => {
    expect(calendar.isWorkingDay(day(text))).toBe(works);
  });

  it.each([
    [2024, 251],
    [2025, 248],
    [2026, 248],
  ])('%i has %i working days', (year, count) => {
    let working = 0;
    for (let d = day(`${year}-01-01`); d < day(`${year}-12-31`) + 1; d++) if (calendar.isWorkingDay(d)) working++;
    expect(working).toBe(count);
  });

  it('refuses a year it has no table for and says which file to edit', () => {
    expect(() => calendar.isWorkingDay(day('2027-01-01'))).toThrow(UnknownCalendarYear);
    expect(() => calendar.isWorkingDay(day('2023-12-31'))).toThrow(/no table for 2023.*calendar\.yaml/);
    expect(() => calendar.addWorkingDays(day('2026-12-31'), 1)).toThrow(/2027/);
    expect(calendar.guessedYears.size).toBe(0);
  });

  it('takes unknown years as Monday to Friday where it is told to, and reports them', () => {
    const guessing = createCalendar(data, { unknownYears: 'weekends' });
    expect(guessing.isWorkingDay(day('2026-12-31'))).toBe(true);
    expect([...guessing.guessedYears]).toEqual([]);
    expect(guessing.isWorkingDay(day('2027-01-01'))).toBe(true);
    expect(guessing.isWorkingDay(day('2027-01-02'))).toBe(false);
    expect(guessing.isWorkingDay(day('1969-12-27'))).toBe(false);
    expect([...guessing.guessedYears]).toEqual([2027, 1969]);
  });

  it.each([
    ['2026-07-03', 0, '2026-07-03'],
    ['2026-07-03', 1, '2026-07-06'],
    ['2026-07-03', 5, '2026-07-10'],
    ['2026-07-05', 1, '2026-07-06'],
    ['2026-09-30', 1, '2026-10-08'],
    ['2026-09-30', 3, '2026-10-10'],
    ['2026-09-30', 4, '2026-10-12'],
    ['2026-07-06', -1, '2026-07-03'],
    ['2026-10-08', -1, '2026-09-30'],
    ['2025-12-31', 1, '2026-01-04'],
  ])('%s plus %i working days is %s', (from, n, expected) => {
    expect(formatDay(calendar.addWorkingDays(day(from), n))).toBe(expected);
  });

  it.each([
    ['2026-07-03', 5, '2026-06-29', 'Friday to Monday of the same week'],
    ['2026-07-05', 5, '2026-06-29', 'Sunday to Monday of that week'],
    ['2026-07-04', 5, '2026-06-29', 'Saturday likewise'],
    ['2026-07-01', 5, '2026-06-25', 'Wednesday over the weekend'],
    ['2026-07-01', 1, '2026-07-01', 'one day: the day itself'],
    ['2026-07-05', 1, '2026-07-03', 'one day from a Sunday: the Friday before'],
    ['2026-10-10', 5, '2026-09-29', 'over National Day, the worked Saturday counted'],
    ['2026-10-07', 5, '2026-09-23', 'from a holiday over Mid-autumn'],
  ])('the window ending %s with %i working days begins %s: %s', (end, n, expected) => {
    expect(formatDay(calendar.workingWindowStart(day(end), n))).toBe(expected);
  });

  it('makes windows that hold exactly the working days asked for and begin on one', () => {
    for (let d = day('2025-03-01'); d <= day('2026-12-31'); d++) {
      for (const n of [1, 2, 5, 10]) {
        const start = calendar.workingWindowStart(d, n);
        let working = 0;
        for (let at = start; at <= d; at++) if (calendar.isWorkingDay(at)) working++;
        expect(working).toBe(n);
        expect(calendar.isWorkingDay(start)).toBe(true);
      }
    }
  });

  it('refuses a senseless number of days', () => {
    expect(() => calendar.workingWindowStart(day('2026-07-01'), 0)).toThrow(/from 1 to/);
    expect(() => calendar.workingWindowStart(day('2026-07-01'), 1.5)).toThrow(/whole number/);
    expect(() => calendar.addWorkingDays(day('2026-07-01'), 1_000_000)).toThrow(/found 1000000/);
  });
});

describe('a calendar table that was edited badly', () => {
  const withYear = (holidays: CalendarData['years'][string]['holidays'], workingDays: string[]): CalendarData => ({
    source: 'test',
    years: { '2030': { notice: 'test', holidays, workingDays } },
  });

  it.each([
    ['a holiday that ends before it begins', withYear([{ name: '元旦', from: '2030-01-03', to: '2030-01-01' }], []), /元旦 ends/],
    ['a day of another year', withYear([{ name: '元旦', from: '2029-12-31', to: '2030-01-01' }], []), /another year/],
    ['a make-up day on a Wednesday', withYear([], ['2030-01-02']), /not a Saturday or Sunday/],
    [
      'a day that is both',
      withYear([{ name: '元旦', from: '2030-01-04', to: '2030-01-06' }], ['2030-01-05']),
      /both a holiday and a working day/,
    ],
  ])('is refused: %s', (_what, table, message) => {
    expect(() => createCalendar(table)).toThrow(message);
  });

  it('is refused by its schema where a date or a year is none', () => {
    expect(calendarSchema.safeParse({ source: 'x', years: { 26: { notice: 'x', holidays: [], workingDays: [] } } }).success).toBe(
      false,
    );
    const february = { source: 'x', years: { 2026: { notice: 'x', holidays: [], workingDays: ['2026-02-29'] } } };
    expect(calendarSchema.safeParse(february).success).toBe(false);
  });
});
