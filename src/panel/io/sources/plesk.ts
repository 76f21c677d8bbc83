/**
 * Plesk, by its own database client, `plesk db`, with one query that changes nothing. An account is the system user of a
 * subscription; the plan is the subscription's service plan. Add-on plans do not count.
 */
import { packageKey } from '../../../policy/panel/panel-record.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import { parsePleskRows, pleskQuery, type PleskRows } from '../../core/plesk-rows.ts';
import type {
  PackageName,
  PanelPackage,
  StatedAccount,
  StatedData,
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
  const rows = await askPlesk(root, bounds);
  const found = { panel: 'Plesk', source: 'plesk', from } as const;
  if (rows.ok) return { ...found, ...statedIn(rows.value), problems: [] };
  const problem = { ...rows.error, action: 'read', object: from };
  const nothing = { accounts: [], packages: [], resellers: [], administrators: [] };
  return { ...found, ...nothing, problems: [problem] };
}

async function askPlesk(root: string, bounds: ScriptBounds): Promise<Result<PleskRows, Cause>> {
  const printed = await runProgram([root + client, 'db', '-Ne', pleskQuery], bounds);
  return printed.ok ? parsePleskRows(printed.value) : printed;
}

function statedIn({ site, plan, all }: PleskRows) {
  const owners = [...site, ...plan, ...all].map(({ owner, ownerType }) => ({ owner, ownerType }));
  const namesOf = (type: string) => [
    ...new Set(owners.flatMap((each) => (each.ownerType === type ? [each.owner] : []))),
  ];
  const plans = new Map(plan.map((each) => [each.subscription, nameOf(each)]));
  const packages = new Map(all.map((each) => [packageKey(nameOf(each)), packageOf(nameOf(each))]));
  return {
    accounts: accountsIn(site, plans),
    packages: [...packages.values()],
    resellers: namesOf('reseller').map((name) => ({ name, from })),
    administrators: namesOf('admin'),
  };
}

/** An administrator's plan is the panel's own. */
const nameOf = ({ name, owner, ownerType }: PleskRows['all'][number]): PackageName => ({
  name,
  ...(ownerType === 'admin' ? {} : given({ owner })),
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
        ...(plan && { package: plan }),
        ...given({ owner: main.owner }),
      },
    ];
  });
}
