/** Services of this package that are no root, and ask the agent as accounts of their own. */
import type { RequestContext } from './request-context.ts';

/**
 * Whether it is a process of the account, outside jails and without a session of the console. The account must be one of
 * the system: whoever makes accounts for customers may let them choose their names.
 */
export function isSystemAccount({ caller, agent }: RequestContext, account: string): boolean {
  if (caller.kind !== 'uid' || caller.uid === 0) return false;
  return agent.console.systemAccountOf(caller.uid) === account;
}
