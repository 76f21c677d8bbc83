/** Incidents of statements and connections that were ended because of a tenant's limits. */
import { count } from '../../../../packages/base/list.ts';
import { cut } from '../../../usage/causes/top-users.ts';
import type { EvidenceKind } from '../../../usage/evidence.ts';
import type { IncidentKind } from '../../../usage/incident-kind.ts';

export interface SessionEvidence {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly account: string;
  /** How long it took, in seconds; the number of connections, if there were too many. */
  readonly found: number;
  /** The statement without literals; empty if there is none, or it is not shown. */
  readonly statement: string;
}

const statementMax = 200;
const accountMax = 128;

export const sessionEvidence: EvidenceKind<SessionEvidence> = {
  kind: 'database-sessions',
  fields: { at: 'number', account: accountMax, found: 'number', statement: statementMax },
  describe(items, showAll) {
    const accounts = [...new Set(items.map(({ account }) => cut(account, accountMax)))];
    const by = `${count(accounts.length, 'account', 'accounts')}: ${accounts.join(', ')}.`;
    const first = items.find(({ statement }) => statement !== '');
    return showAll && first !== undefined
      ? `${by} One statement: ${cut(first.statement, statementMax)}.`
      : by;
  },
  line: ({ account, found, statement }) =>
    [cut(account, accountMax), `${Math.round(found)}`, cut(statement, statementMax)]
      .filter((each) => each !== '')
      .join(' '),
  redact: (each) => ({ ...each, statement: '' }),
};

export const sessionIncidents: readonly IncidentKind<SessionEvidence>[] = (
  ['database.statement', 'database.transaction', 'database.connections'] as const
).map((limit) => ({ limit, evidence: sessionEvidence }));
