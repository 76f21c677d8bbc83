/** Choices of customers, applied to the digest of the policy. */
import { weekdays, type DigestRule } from '../../policy/settings.ts';

/** A choice that counts for the account that has the uid now. */
export interface Choice {
  readonly use?: number;
  readonly every?: 'week' | 'off';
}

/** Returns the rule for somebody with this choice; undefined if it has turned the digest off. */
export function chosenRule(rule: DigestRule, choice: Choice | undefined): DigestRule | undefined {
  if (choice === undefined || rule.useMin === undefined) return rule;
  if (choice.every === 'off') return undefined;
  return {
    ...rule,
    every: choice.every ?? rule.every,
    // The policy may have raised the least share since.
    useFraction: choice.use === undefined ? rule.useFraction : Math.max(choice.use, rule.useMin),
  };
}

/** Whether a weekday, 0 for Sunday, is the one on which a weekly digest is sent instead of a daily one. */
export const isItsDay = (chosen: DigestRule, rule: DigestRule, weekday: number): boolean =>
  chosen.every === rule.every || weekday === weekdays.indexOf(rule.day);
