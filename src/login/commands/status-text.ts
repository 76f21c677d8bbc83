/** The table of services, and the notes below it. */
import { printable } from '../../base/printable.ts';
import { table, wrap, type Terminal } from '../../cli/shared/terminal.ts';
import type { LoginView, ServiceView } from '../core/view.ts';

export function statusText(
  { services, agentRuns }: LoginView,
  notes: readonly string[],
  { columns }: Pick<Terminal, 'columns'>,
): string {
  const rows = services.map((each) => [printable(each.service), outcomeText(each, agentRuns)]);
  const remarks = notes.map((each) => wrap(printable(each), columns, '  ')).join('\n');
  return [table([['SERVICE', 'SESSIONS OF TENANTS'], ...rows]), remarks]
    .filter((each) => each !== '')
    .join('\n\n');
}

function outcomeText({ outcome, jumps }: ServiceView, agentRuns: boolean): string {
  if (outcome === 'placed')
    return jumps ? 'placed at login, without pam_systemd' : 'placed at login';
  const left = agentRuns ? 'caught' : 'not covered';
  return outcome === 'taken back' ? `${left} (pam_systemd takes it back)` : left;
}
