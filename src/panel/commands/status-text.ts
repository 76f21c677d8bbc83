/** The status of the panel, for people and for programs. */
import { count, listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatQuantity } from '../../../packages/base/quantity.ts';
import { table } from '../../cli/shared/terminal.ts';
import { limitAttribute } from '../../limits/limits.ts';
import { readablePanels } from '../io/read-panel.ts';
import { packageKey } from '../../policy/panel/panel-record.ts';
import { formatLimits } from '../core/limit-fields.ts';
import { type PackageName, type PanelData, type StatedLimits } from '../core/panel-data.ts';
import type { PanelFollowedJson, PanelPackageNameJson, PanelStatusJson } from './json.ts';

export function statusText(
  data: PanelData | undefined,
  followed: PanelFollowedJson | null,
): string {
  if (data === undefined)
    return `No panel was found whose data Bulkhead can read (${readablePanels})`;
  const { accounts, packages, resellers, problems } = data;
  const domains = accounts.flatMap((each) => each.domains.map(({ name }) => name));
  const withoutPlan = accounts.flatMap((each) =>
    each.role === 'user' && each.package === undefined ? [each.user] : [],
  );
  const withMail = accounts.filter(({ mail }) => mail !== undefined);
  const earlier = followed?.carriedOver ?? [];
  const rows = [
    ['Panel', `${data.panel}, from ${data.from}`],
    ['Accounts', `${accounts.length}${some(accounts.map(({ user }) => user))}`],
    ['Packages', String(packages.length)],
    ...(withoutPlan.length === 0
      ? []
      : [
          [
            'No plan',
            `${withoutPlan.length}${some(withoutPlan)}; each gets the package of its reseller or range, or the defaults; lower limits of its last package stay`,
          ],
        ]),
    ...(earlier.length === 0
      ? []
      : [['Earlier plan', `${earlier.length}${some(earlier)}; this reading states none for them`]]),
    ['Resellers', `${resellers.length}${some(resellers.map(({ name }) => name))}`],
    ['Domains', `${domains.length}${some(domains)}`],
    ['Mail', `${withMail.length} of ${count(accounts.length, 'account')} have an address`],
    ['Policy', followedText(followed)],
    ['Problems', String(problems.length)],
  ];
  return [table(rows.map((row) => row.map(printable))), packageTable(data)]
    .filter((each) => each !== '')
    .join('\n\n');
}

function followedText(followed: PanelFollowedJson | null): string {
  if (followed === null) return 'does not follow the panel; to do so, add <panel source="auto"/>';
  const { source, readAt } = followed;
  const panel = source === 'auto' ? 'the panel' : `"${source}"`;
  return readAt === null
    ? `follows ${panel}, which has not been read yet; run: bulkhead panel sync`
    : `follows ${panel}; its accounts changed last at ${readAt.slice(0, 16).replace('T', ' ')} UTC`;
}

const some = (names: readonly string[]) => (names.length === 0 ? '' : `: ${listSome(names)}`);

const packagesShown = 50;

function packageTable({ packages, accounts }: PanelData): string {
  if (packages.length === 0) return '';
  const members = Map.groupBy(accounts, (each) => each.package && packageKey(each.package));
  const rows = packages
    .slice(0, packagesShown)
    .map((each) => [
      each.owner === undefined ? each.name : `${each.name} (${each.owner})`,
      String(members.get(packageKey(each))?.length ?? 0),
      formatLimits(each.limits),
      each.from,
    ]);
  const more = packages.length - packagesShown;
  const shown = table(
    [['PACKAGE', 'ACCOUNTS', 'LIMITS', 'FROM'], ...rows.map((row) => row.map(printable))],
    [1],
  );
  return more > 0 ? `${shown}\n${more} more: bulkhead panel status --json` : shown;
}

export function statusJson(
  data: PanelData | undefined,
  followed: PanelFollowedJson | null,
): PanelStatusJson {
  const accounts = data?.accounts ?? [];
  const byOwner = Map.groupBy(accounts, ({ owner }) => owner);
  return {
    panel: data?.panel ?? null,
    source: data?.source ?? null,
    from: data?.from ?? null,
    accounts: accounts.map((each) => ({
      user: each.user,
      uid: each.uid,
      role: each.role,
      package: each.package === undefined ? null : nameJson(each.package),
      owner: each.owner ?? null,
      mail: each.mail ?? null,
      domains: each.domains.map(({ name }) => name),
      limits: limitsJson(each.limits),
      from: each.from,
    })),
    packages: (data?.packages ?? []).map((each) => ({
      ...nameJson(each),
      limits: limitsJson(each.limits),
      ownLimits: Object.fromEntries(each.ownLimits),
      from: each.from,
    })),
    resellers: (data?.resellers ?? []).map(({ name, mail, from }) => ({
      name,
      mail: mail ?? null,
      accounts: byOwner.get(name)?.filter(({ user }) => user !== name).length ?? 0,
      from,
    })),
    followed,
    problems: data?.problems ?? [],
  };
}

const nameJson = ({ name, owner }: PackageName): PanelPackageNameJson => ({
  name,
  owner: owner ?? null,
});

const limitsJson = (limits: StatedLimits) =>
  Object.fromEntries(
    [...limits].map(([key, value]) => [key, formatQuantity(limitAttribute(key).kind, value)]),
  );
