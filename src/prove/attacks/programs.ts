/**
 * Attacks with programs that another program, which does not know of the jail, starts as the
 * tenant.
 */
import type { Attack } from '../core/attack.ts';
import { blocked, judgeSaid } from '../core/outcome.ts';
import { perl } from './perl.ts';

export const outsideJail: Attack = {
  name: 'outside-jail',
  summary: 'have a daemon start its program outside its jail, as a mail server does for .forward',
  demandedBy: 'jail',
  remedy:
    '<jail> in the policy, where the kernel asks BPF programs; else forbid commands of .forward and filters in the mail server',
  start: (stage) => ({ program: perl("through('runs there')", stage), daemon: true }),
  control: {
    by: 'control',
    start: (stage) => ({ program: perl("through('runs there')", stage), daemon: true }),
  },
  // The kernel refuses it to the program that starts it, before its first instruction.
  judge: (evidence) =>
    wasRefused(evidence.said, evidence.ended)
      ? blocked('the kernel did not let it start outside its jail')
      : judgeSaid(evidence, []),
};

/** Whether setpriv could become the tenant, but start nothing. */
export const wasRefused = (said: unknown, ended: string): boolean =>
  said === undefined && /failed to execute .*: Operation not permitted/.test(ended);
