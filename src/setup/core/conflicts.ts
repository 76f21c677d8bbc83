/** Answers that this host contradicts. Nothing is begun with them. */
import type { Layer } from '../../../packages/base/layer.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import type { Answers } from './answers.ts';

export interface HostForAnswers {
  /** The names of accounts among `except` that this host has. */
  readonly known: readonly string[];
  readonly layers: readonly Layer[];
  /** Why the limits of another program cannot be used; absent if it can, or if none is wanted. */
  readonly limits?: Cause;
}

export function contradictions(
  { except, jails, level, limits: choice }: Answers,
  { known, layers, limits }: HostForAnswers,
): readonly Cause[] {
  const unknown = except.filter((each) => !known.includes(each));
  const jail = layers.find(({ key }) => key === 'jails');
  const cannotJail = level === 'isolate' && jails !== 'none' && jail?.state === 'unavailable';
  return [
    ...(limits === undefined
      ? []
      : [{ ...limits, reason: `"limits" is "${choice}": ${limits.reason}` }]),
    ...unknown.map((each) => ({
      reason: `"except" names "${each}", and this host has no such account`,
      hint: 'leave it out, or create it first',
    })),
    ...(cannotJail
      ? [
          {
            reason: `"jails" is "${jails}", and this host can build none: ${jail.reason}`,
            hint: 'answer "none"',
          },
        ]
      : []),
  ];
}
