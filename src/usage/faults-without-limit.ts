/**
 * Faults without a limit: actions that our BPF programs refused a tenant. Like faults of limits, they must be reported
 * to somebody, once and with evidence.
 */
import { times } from './numbers.ts';
import type { Incident } from './incident.ts';
import type { LimitKey } from '../limits/limit.ts';
import { jailFault } from './refused-tries.ts';
import { linkFault } from './refused-links.ts';

export interface FaultWithoutLimit {
  /** The word for `--limit`, besides the key itself. */
  readonly word: string;
  /** The text in place of the limit's value; `from` replaces the line that set it. */
  readonly value: string;
  readonly from: string;
  /** Describes what happened: `had symbolic links refused 3 times`. */
  readonly happened: (incident: Pick<Incident, 'severity' | 'faults'>) => string;
  /** The reason, which follows that and the time: `because they lead to what others own`. */
  readonly because: string;
}

export const faultsWithoutLimit: ReadonlyMap<LimitKey, FaultWithoutLimit> = new Map([
  [
    linkFault,
    {
      word: 'symlinks',
      value: 'owner-match',
      from: '<symlinks> of the policy',
      happened: ({ severity, faults }) =>
        severity === 'refused'
          ? `had symbolic links refused ${times(faults)}`
          : `had symbolic links followed ${times(faults)} that the guard would refuse`,
      because: 'because they lead to what others own',
    },
  ],
  [
    jailFault,
    {
      word: 'jail',
      value: 'apart',
      from: '<jail> of the policy',
      happened: ({ faults }) => `was refused ${times(faults)} what leads past its jail`,
      because: 'because what is inside and what is outside are kept apart',
    },
  ],
]);
