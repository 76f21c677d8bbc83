/**
 * Virtualmin, from the files of its Webmin module, which belong to root.
 *
 *     /etc/webmin/virtual-server/domains/ID    dom=a.example, user=ann, unix=1, plan=ID, reseller=acme, emailto=
 *     /etc/webmin/virtual-server/domains/ID    dom=b.a.example, user=ann, unix=0, reseller=, parent=ID (a sub-server)
 *     /etc/webmin/virtual-server/plans/ID      name=Gold, owner=acme (absent: the panel's own), mailboxlimit=, dbslimit=, …
 *     /etc/webmin/virtual-server/USER.acl      reseller=1, email=
 *
 * A domain without a parent is an account; those with a parent are its other sites. Quotas count blocks, whose size the
 * file does not state. Source: Virtualmin's own reader of these files, in virtualmin/virtualmin-gpl.
 */
import type { PinnedDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import type {
  PackageName,
  PanelPackage,
  PanelReseller,
  StatedAccount,
} from '../../core/panel-data.ts';
import { PanelFiles } from '../panel-files.ts';
import { given, ownLimitsOf, readValues, type ReadValues } from '../read-values.ts';
import type { PanelSource } from './source.ts';

const base = '/etc/webmin/virtual-server';

/** Limits that Virtualmin enforces itself. */
const own = [
  'quota',
  'uquota',
  'bwlimit',
  'mailboxlimit',
  'aliaslimit',
  'dbslimit',
  'domslimit',
  'aliasdomslimit',
];

/** Files that editors and packages leave next to the domains. */
const leftover = /\.(?:lock|bak|rpmsave|sav|swp|webmintmp)$|~$/i;
const aclEnding = '.acl';

export const virtualmin: PanelSource = {
  name: 'virtualmin',
  panel: 'Virtualmin',
  mark: `${base}/domains`,
  read({ root }) {
    const files = new PanelFiles();
    using directory = files.base(root + base);
    using domains = directory && files.directory(directory, 'domains');
    using plans = directory && files.directory(directory, 'plans', true);
    const packages = plans === undefined ? new Map() : readPlans(files, plans);
    return {
      panel: 'Virtualmin',
      source: 'virtualmin',
      from: base,
      accounts: domains === undefined ? [] : readAccounts(files, domains, packages),
      packages: [...packages.values()],
      resellers: directory === undefined ? [] : readResellers(files, directory),
      administrators: [],
      problems: files.problems,
    };
  },
};

type Plans = ReadonlyMap<string, PanelPackage>;

function readPlans(files: PanelFiles, directory: PinnedDirectory): Plans {
  const plans = files.names(directory).flatMap((id) => {
    if (leftover.test(id)) return [];
    const read = readValues(files, directory, id, 'webmin');
    if (read === undefined) return [];
    const { values, from } = read;
    const stated = { name: values.get('name') ?? id, ...given({ owner: values.get('owner') }) };
    return [
      [id, { ...stated, from, limits: new Map(), ownLimits: ownLimitsOf(read, own) }] as const,
    ];
  });
  return new Map(plans);
}

function readAccounts(
  files: PanelFiles,
  directory: PinnedDirectory,
  plans: Plans,
): readonly StatedAccount[] {
  const read = files.names(directory).flatMap((id) => {
    const domain = leftover.test(id) ? undefined : readValues(files, directory, id, 'webmin');
    return domain === undefined || hasNoUser(domain) ? [] : [domain];
  });
  const users = Map.groupBy(read, ({ values }) => values.get('user') ?? '');
  return [...users].flatMap(([user, owned]) => {
    const [main, ...others] = owned.toSorted((a, b) => Number(isMain(b)) - Number(isMain(a)));
    // The sites alone state neither a reseller nor the plan: their main domain could not be read.
    if (main === undefined || user === '' || !isMain(main)) return [];
    return [accountOf(user, [main, ...others], plans)];
  });
}

const isMain = ({ values }: ReadValues) => (values.get('parent') ?? '') === '';

/** Whether a domain has only mail. Sites below a main domain have no user of their own, and `unix=0`. */
const hasNoUser = (domain: ReadValues) => isMain(domain) && domain.values.get('unix') === '0';

function accountOf(
  user: string,
  [main, ...others]: readonly [ReadValues, ...ReadValues[]],
  plans: Plans,
): StatedAccount {
  const { values, from } = main;
  const plan = planOf(values.get('plan') ?? '', plans);
  // Several resellers may share a domain; it counts for the first one.
  const [owner] = (values.get('reseller') ?? '').split(/\s+/);
  return {
    user,
    from,
    role: 'user',
    domains: [main, ...others].flatMap((each) => {
      const name = each.values.get('dom') ?? '';
      return name === '' ? [] : [{ name, from: each.from }];
    }),
    limits: new Map(),
    ...(plan && { package: plan }),
    ...given({ owner, mail: values.get('emailto') }),
  };
}

/** Returns the plan's name; its id, which no plan has as a name, if it does not exist. */
function planOf(id: string, plans: Plans): PackageName | undefined {
  if (id === '') return undefined;
  const found = plans.get(id);
  return found === undefined
    ? { name: id }
    : { name: found.name, ...given({ owner: found.owner }) };
}

function readResellers(files: PanelFiles, directory: PinnedDirectory): readonly PanelReseller[] {
  return files.names(directory).flatMap((file) => {
    if (!file.endsWith(aclEnding)) return [];
    const read = readValues(files, directory, file, 'webmin');
    if (read?.values.get('reseller') !== '1') return [];
    const name = file.slice(0, -aclEnding.length);
    return [{ name, from: read.from, ...given({ mail: read.values.get('email') }) }];
  });
}
