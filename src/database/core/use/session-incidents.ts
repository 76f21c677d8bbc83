/** Incidents of statements and connections that were ended because of a tenant's limits. */
import { cut } from '../../../usage/causes/top-users.ts';
import type { EvidenceKind } from '../../../usage/evidence.ts';
import type { IncidentKind } from '../../../usage/incident-kind.ts';
import { times } from '../../../usage/numbers.ts';

export interface SessionEvidence {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The limit: `statement`, `transaction` or `connections`. */
  readonly why: string;
  readonly account: string;
  /** How long it took, in seconds; the number of connections, if there were too many. */
  readonly found: number;
  /** The statement without literals; empty if there is none, or it is not shown. */
  readonly statement: string;
}

const statementMax = 200;
const accountMax = 128;

const amountTexts: ReadonlyMap<string, (found: number) => string> = new Map([
  ['statement', (found) => `a statement of ${Math.round(found)} s`],
  ['transaction', (found) => `${Math.round(found)} s in an open transaction`],
  ['connections', (found) => `one of ${Math.round(found)} connections`],
]);
const amountText = ({ why, found }: SessionEvidence) => amountTexts.get(why)?.(found) ?? '';

export const sessionEvidence: EvidenceKind<SessionEvidence> = {
  kind: 'database-sessions',
  fields: {
    at: 'number',
    why: 16,
    account: accountMax,
    found: 'number',
    statement: statementMax,
  },
  describe(items, showAll) {
    const accounts = [...new Set(items.map(({ account }) => cut(account, accountMax)))];
    const noun = accounts.length === 1 ? 'account' : 'accounts';
    const most = items.reduce((max, each) => (each.found > max.found ? each : max));
    const facts = [
      `It was the database ${noun} ${accounts.join(', ')}.`,
      amountText(most) === '' ? '' : `The most that was seen: ${amountText(most)}.`,
      showAll && most.statement !== ''
        ? `The statement there: ${cut(most.statement, statementMax)}.`
        : '',
    ];
    return facts.filter((each) => each !== '').join(' ');
  },
  line: (each) =>
    [cut(each.account, accountMax), amountText(each), cut(each.statement, statementMax)]
      .filter((part) => part !== '')
      .join(', '),
  redact: (each) => ({ ...each, statement: '' }),
};

export const sessionIncidents: readonly IncidentKind<SessionEvidence>[] = [
  { limit: 'database.statement', evidence: sessionEvidence },
  { limit: 'database.transaction', evidence: sessionEvidence },
  {
    limit: 'database.connections',
    evidence: sessionEvidence,
    happened: ({ severity, faults }) =>
      severity === 'observed' ? undefined : `had database connections closed ${times(faults)}`,
  },
];
