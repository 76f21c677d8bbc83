/** The table of services, and the notes below it. */
import { printable } from '../../../packages/base/printable.ts';
import { table, wrap, type Terminal } from '../../cli/shared/terminal.ts';
import type { SliceOutcome } from '../core/judge.ts';
import { hasSlicesOnly, type LoginView, type ServiceView } from '../core/view.ts';

export function statusText(
  view: LoginView,
  notes: readonly string[],
  { columns }: Pick<Terminal, 'columns'>,
): string {
  const rows = view.services.map((each) => [
    printable(each.service),
    outcomesText(each, view),
    ...(view.jail === undefined ? [] : [jailText(each, view.module)]),
  ]);
  const header = ['SERVICE', 'SESSIONS OF TENANTS', ...(view.jail === undefined ? [] : ['JAIL'])];
  const remarks = notes.map((each) => wrap(printable(each), columns, '  ')).join('\n');
  return [table([header, ...rows]), remarks].filter((each) => each !== '').join('\n\n');
}

function jailText(
  { entersJail, refusesJailed, jailsUnknown }: ServiceView,
  { usable }: LoginView['module'],
): string {
  if (jailsUnknown === true) return 'unknown';
  if (refusesJailed === true) return 'no login';
  if (!entersJail) return 'not entered';
  return usable ? 'entered' : 'no session';
}

function outcomesText(service: ServiceView, view: LoginView): string {
  const { agentRuns } = view;
  const { inSlice } = service;
  const own = outcomeText(service, agentRuns);
  if (inSlice === undefined) return own;
  const slice = sliceText(inSlice, agentRuns);
  return hasSlicesOnly(view) || slice === own ? slice : `${slice}; of resellers: ${own}`;
}

function sliceText(outcome: SliceOutcome, agentRuns: boolean): string {
  switch (outcome) {
    case 'placed':
      return 'placed at login';
    case 'by pam_systemd':
      return 'placed by pam_systemd';
    case 'by pam_systemd, if alone':
      return `placed by pam_systemd, but within another session ${leftTo(agentRuns)}`;
    case 'not run':
      return leftTo(agentRuns);
  }
}

const leftTo = (agentRuns: boolean) => (agentRuns ? 'caught' : 'not covered');

function outcomeText({ outcome, jumps }: ServiceView, agentRuns: boolean): string {
  if (outcome === 'placed')
    return jumps ? 'placed at login, without pam_systemd' : 'placed at login';
  const left = leftTo(agentRuns);
  return outcome === 'taken back' ? `${left} (pam_systemd takes it back)` : left;
}
