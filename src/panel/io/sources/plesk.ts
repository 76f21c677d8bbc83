/**
 * Plesk, by its own database client, `plesk db`, with one query that changes nothing. An account is the system user of a
 * subscription; the plan is the subscription's service plan. Add-on plans do not count.
 */
import { packageKey } from '../../../policy/panel/panel-record.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { Cause, Problem } from '../../../../packages/base/problem.ts';
import {
  parsePleskRows,
  pleskDatabasesQuery,
  pleskQuery,
  type PleskRows,
} from '../../core/plesk-rows.ts';
import type {
  PackageName,
  PanelPackage,
  StatedAccount,
  StatedData,
  StatedDatabases,
} from '../../core/panel-data.ts';
import { given } from '../read-values.ts';
import { runProgram, scriptBounds, type ScriptBounds } from '../run-script.ts';
import type { PanelSource, Place } from './source.ts';

const mark = '/usr/local/psa/version';
const client = '/usr/sbin/plesk';
const from = 'plesk db';

export const plesk: PanelSource = {
  name: 'plesk',
  panel: 'Plesk',
  mark,
  read: (place) => readPlesk(place, scriptBounds),
};

export async function readPlesk({ root }: Place, bounds: ScriptBounds): Promise<StatedData> {
  const rows = await askPlesk(root, pleskQuery, bounds);
  const found = { panel: 'Plesk', source: 'plesk', from } as const;
  if (!rows.ok) {
    const problem = { ...rows.error, action: 'read', object: from };
    const nothing = { accounts: [], packages: [], resellers: [], administrators: [] };
    return { ...found, ...nothing, problems: [problem] };
  }
  const databases = await askPlesk(root, pleskDatabasesQuery, bounds);
  const stated = statedIn(rows.value, databases.ok ? databases.value.db : undefined);
  if (databases.ok) return { ...found, ...stated };
  const problem = { ...databases.error, action: 'read the accounts of database servers from' };
  return { ...found, ...stated, problems: [...stated.problems, { ...problem, object: from }] };
}

async function askPlesk(
  root: string,
  query: string,
  bounds: ScriptBounds,
): Promise<Result<PleskRows, Cause>> {
  const printed = await runProgram([root + client, 'db', '-Ne', query], bounds);
  return printed.ok ? parsePleskRows(printed.value) : printed;
}

function statedIn({ site, plan, all }: PleskRows, db: PleskRows['db'] | undefined) {
  const owners = [...site, ...plan, ...all].map(({ owner, ownerType }) => ({ owner, ownerType }));
  const namesOf = (type: string) => [
    ...new Set(owners.flatMap((each) => (each.ownerType === type ? [each.owner] : []))),
  ];
  const plans = new Map(plan.filter(isOwned).map((each) => [each.subscription, nameOf(each)]));
  const owned = all.filter(isOwned).map(nameOf);
  const packages = new Map(owned.map((each) => [packageKey(each), packageOf(each)]));
  const lost = new Set([...plan, ...all].flatMap((each) => (isOwned(each) ? [] : [each.name])));
  return {
    accounts: accountsIn(site, plans, db && Map.groupBy(db, ({ login }) => login)),
    packages: [...packages.values()],
    resellers: namesOf('reseller').map((name) => ({ name, from })),
    administrators: namesOf('admin'),
    problems: [...lost].map(ownerlessProblem),
  };
}

type Plan = PleskRows['all'][number];

/** Whether the owner is known. A plan without one may be a reseller's, which must not be taken for the panel's own. */
const isOwned = ({ owner }: Pick<Plan, 'owner'>): boolean => owner !== '';

const ownerlessProblem = (name: string): Problem => ({
  action: 'find the owner of the plan',
  object: name,
  reason: `the database has no account with its owner_id (${from})`,
  hint: 'accounts with it keep their earlier plans, or get the defaults',
});

/** An administrator's plan is the panel's own. */
const nameOf = ({ name, owner, ownerType }: Plan): PackageName => ({
  name,
  ...(ownerType === 'admin' ? {} : { owner }),
});

const packageOf = (name: PackageName): PanelPackage => ({
  ...name,
  from,
  limits: new Map(),
  ownLimits: new Map(),
});

/** The sites of a subscription share its system user; the main one states the plan. */
function accountsIn(
  sites: PleskRows['site'],
  plans: ReadonlyMap<string, PackageName>,
  databases: ReadonlyMap<string, PleskRows['db']> | undefined,
): readonly StatedAccount[] {
  return [...Map.groupBy(sites, ({ login }) => login)].flatMap(([user, owned]) => {
    const [main, ...others] = owned.toSorted(
      (a, b) => Number(b.main !== '') - Number(a.main !== ''),
    );
    if (main === undefined) return [];
    const plan = plans.get(main.subscription);
    return [
      {
        user,
        from,
        role: 'user' as const,
        domains: [main, ...others].map(({ domain }) => ({ name: domain, from })),
        limits: new Map(),
        ...(databases && databasesIn(databases.get(user) ?? [])),
        ...(plan && { package: plan }),
        ...given({ owner: main.owner }),
      },
    ];
  });
}

/** A server of a kind that Bulkhead does not know has nobody's accounts. */
function databasesIn(rows: PleskRows['db']): StatedDatabases {
  const ofType = (wanted: string) =>
    rows.filter(({ type }) => type === wanted).map(({ name }) => name);
  return { databaseAccounts: ofType('mysql'), postgresqlAccounts: ofType('postgresql') };
}
