import { enterpriseStatuses, type SharedKind, sharedKinds } from '../../domain/reference.js';
import type { Evaluation } from '../evaluation.js';
import type { KnownProfile } from '../known-profile.js';
import type { LoginView } from '../login-view.js';
import { literal } from '../generated.js';
import { callHelper, type Scope, type Typed, type Who } from '../typed-code.js';
import type { FieldDefinition } from './definitions.js';

/** Fields of what is known of an enterprise and of its logins. */

/** Profiles are kept where the account's own legs are; of the other side nothing is known here. */
function profileOf(leg: Evaluation, who: Who): KnownProfile | undefined {
  const isSelf = who === 'self' || (who === 'payer' ? leg.isDebit : who === 'payee' && !leg.isDebit);
  return isSelf ? ownProfile(leg) : undefined;
}

/**
 * The profile of the account in hand. One that another bank has sent does not count where the payment names the bank that keeps
 * the account: a profile silences patterns. A bank's number may be named by its first digits, as where recipients are registered.
 */
export function ownProfile({ memory, subject, view, self }: Evaluation): KnownProfile | undefined {
  const profile = memory.records.profile(subject);
  if (!profile || profile.bank === '' || self.bankStart < 0) return profile;
  const { bank } = profile;
  // Asked of many patterns on every leg: no text is made of the number, whose characters need no escape.
  const shorter = Math.min(bank.length, self.bankEnd - self.bankStart);
  for (let i = 0; i < shorter; i++) if (view.bytes[self.bankStart + i] !== bank.charCodeAt(i)) return undefined;
  return profile;
}

interface ProfileField {
  readonly type: Typed['type'];
  readonly unit?: string;
  readonly doc: string;
  make(who: Who, scope: Scope): Typed;
}

function profileNumber(doc: string, unit: string, read: (profile: KnownProfile, leg: Evaluation) => number): ProfileField {
  return {
    type: 'number',
    unit,
    doc,
    make: (who, scope) => ({
      type: 'number',
      code: callHelper(scope, (leg) => {
        const profile = profileOf(leg, who);
        return profile ? read(profile, leg) : Number.NaN;
      }),
    }),
  };
}

function profileText(doc: string, read: (profile: KnownProfile) => string): ProfileField {
  return {
    type: 'text',
    doc,
    make(who, scope) {
      const code = callHelper(scope, (leg) => {
        const profile = profileOf(leg, who);
        return profile ? read(profile) : '';
      });
      return { type: 'text', code };
    },
  };
}

function firmsOf(leg: Evaluation, kind: number): number {
  return leg.memory.records.firms(leg.subject, sharedKinds[kind]!);
}

function firmsField(shared: SharedKind, doc: string): ProfileField {
  return {
    type: 'number',
    unit: 'enterprises',
    doc,
    make(_, scope) {
      scope.plan.keep('kin');
      return { type: 'number', code: callHelper(scope, firmsOf, literal(sharedKinds.indexOf(shared))) };
    },
  };
}

const statusNames = ['unknown', ...enterpriseStatuses];

export const profileFields: Readonly<Record<string, ProfileField>> = {
  capitalFen: profileNumber('Paid-in capital', 'fen', ({ capitalFen }) => capitalFen),
  monthlyRevenueFen: profileNumber('Declared revenue of a month', 'fen', ({ monthlyRevenueFen }) => monthlyRevenueFen),
  insuredStaff: profileNumber('Staff with social insurance', 'persons', ({ insuredStaff }) => insuredStaff),
  approvalLimitFen: profileNumber('Amount from which payments need approval', 'fen', ({ approvalLimitFen }) => approvalLimitFen),
  legalRepAge: profileNumber(
    'Age of the legal representative',
    'years',
    ({ legalRepBirthYear }, { timeMs }) => new Date(timeMs).getUTCFullYear() - legalRepBirthYear,
  ),
  registeredDays: profileNumber('Days since registration', 'days', ({ registeredDay }, { day }) => day - registeredDay),
  basicAccountGapDays: profileNumber(
    'Days from registration to the basic account',
    'days',
    ({ registeredDay, basicAccountDay }) => basicAccountDay - registeredDay,
  ),
  licenceDaysLeft: profileNumber('Days until the licence ends', 'days', ({ licenceUntilDay }, { day }) => licenceUntilDay - day),
  province: profileNumber('Province of the registered address', 'GB/T 2260', ({ province }) => province),
  legalRepProvince: profileNumber(
    'Province of the legal representative',
    'GB/T 2260',
    ({ legalRepProvince }) => legalRepProvince,
  ),
  status: {
    type: 'enum',
    doc: `Status of the enterprise: ${statusNames.map((name) => `"${name}"`).join(', ')}`,
    make: (who, scope) => ({
      type: 'enum',
      names: statusNames,
      code: callHelper(scope, (leg) => profileOf(leg, who)?.status ?? 0),
    }),
  },
  industry: profileText('Industry (GB/T 4754), such as F51', ({ industry }) => industry),
  legalRep: profileText('Name of the legal representative', ({ legalRep }) => legalRep),
  legalRepId: profileText('Number of the legal representative', ({ legalRepId }) => legalRepId),
  phone: profileText('Phone', ({ phone }) => phone),
  address: profileText('Registered address', ({ address }) => address),
  addressFirms: firmsField('address', 'Enterprises seen with the same registered address'),
  legalRepFirms: firmsField('legal-rep', 'Enterprises seen with the same legal representative'),
  phoneFirms: firmsField('phone', 'Enterprises seen with the same phone'),
  agentFirms: firmsField('agent', 'Enterprises seen with the same agent'),
};

function loginNumber(doc: string, unit: string, read: (login: LoginView) => number): FieldDefinition {
  return {
    type: 'number',
    unit,
    doc: `${doc}; unknown without logins`,
    make: (scope) => ({
      type: 'number',
      code: callHelper(scope, (leg) => {
        const login = leg.login();
        return login ? read(login) : Number.NaN;
      }),
    }),
  };
}

function loginBool(doc: string, read: (login: LoginView) => boolean): FieldDefinition {
  return {
    type: 'bool',
    doc: `${doc}; false without logins`,
    make: (scope) => ({
      type: 'bool',
      code: callHelper(scope, (leg) => {
        const login = leg.login();
        return login !== undefined && read(login);
      }),
    }),
  };
}

export const loginFields: Readonly<Record<string, FieldDefinition>> = {
  'login.ageSeconds': loginNumber('Time since the latest login of the account', 'seconds', ({ ageSeconds }) => ageSeconds),
  'login.province': loginNumber('Province of its IP, 0 abroad', 'GB/T 2260', ({ province }) => province),
  'login.isAbroad': loginBool('Its IP is abroad', ({ isAbroad }) => isAbroad),
  'login.isRemoteControlled': loginBool('The bank saw remote control', ({ isRemoteControlled }) => isRemoteControlled),
  'login.newProvince': loginBool('Its province was not seen in the 90 days before', ({ newProvince }) => newProvince),
  'login.speedKmh': loginNumber(
    'Speed that the way from the login before of the same operator (else of the same device) would have needed',
    'km/h',
    ({ speedKmh }) => speedKmh,
  ),
  'login.ips': loginNumber('IP addresses in its session', 'addresses', ({ ips }) => ips),
  'login.sameHandSeconds': loginNumber(
    'Time between the maker and the checker step where both came from one MAC or IP address',
    'seconds',
    ({ sameHandSeconds }) => sameHandSeconds,
  ),
};
