/** Incidents of a tenant's attempts to get past its jail. */
import { count, listSome } from '../../../packages/base/list.ts';
import type { EvidenceKind } from '../../usage/evidence.ts';
import type { IncidentKind } from '../../usage/incident-kind.ts';
import { times } from '../../usage/numbers.ts';
import { cut } from '../../usage/causes/top-users.ts';

/** An attempt of a tenant to get past its jail. */
export interface TryEvidence {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The program's name. */
  readonly program: string;
  /** The attempt, worded to follow that name: `tried to make a user namespace`; empty if it is not shown. */
  readonly tried: string;
}

const shownMax = 5;

export const tryEvidence: EvidenceKind<TryEvidence> = {
  kind: 'tries',
  // Both contain names in which `printable` may have escaped every byte.
  fields: { at: 'number', program: 128, tried: 512 },
  describe(tries, showAll) {
    const programs = [...new Set(tries.map(({ program }) => cut(program, 32)))];
    if (!showAll) return `Tried by ${listSome(programs, shownMax)}.`;
    const texts = [...new Set(tries.map(tryText))];
    return `${count(texts.length, 'try is', 'tries are')} known: ${listSome(texts, shownMax)}.`;
  },
  line: (each) => (each.tried === '' ? each.program : tryText(each)),
  redact: (each) => ({ ...each, tried: '' }),
};

const tryText = ({ program, tried }: TryEvidence): string =>
  `${cut(program, 32)} ${cut(tried, 200)}`;

export const jailIncidents: IncidentKind<TryEvidence> = {
  limit: 'jail.isolation',
  withoutLimit: {
    value: 'apart',
    from: '<jail> of the policy',
    because: 'because the inside of a jail is isolated from the outside',
  },
  topic: {
    noun: 'jail',
    resource: 'other',
    effect: {
      refused:
        'The kernel refused these calls and nothing else: the programs saw "Operation not permitted" and went on as they were written to.',
    },
    advice:
      'Look at what the program is: an administrator who debugs as the tenant outside the jail is refused too, and so is software that wants user namespaces, such as a sandbox or rootless containers. A program that nobody knows is a reason to look at the account.',
  },
  evidence: tryEvidence,
  happened: ({ faults }) => `was refused ${times(faults)} what leads past its jail`,
};
