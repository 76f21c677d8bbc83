/**
 * The limits of tenants in the shape that panels parse, and changes of them:
 *
 *     {"cageFS": "enabled", "items": 1, "result": "success", "users": [
 *       {"cageFS": "enabled", "domain": "shop.example", "id": 1001, "limits": {…}, "package": "None",
 *        "reseller": "root", "username": "alice"}]}
 *
 * `*` before a limit marks one of the tenant's own. A tenant without an account is called `-`.
 */
import { availableParallelism } from 'node:os';
import type { Problem } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { limitNumbers } from '../../../agent/sampling/limit-numbers.ts';
import type { MainDomains } from '../../../cli/capability.ts';
import { targetOf } from '../../../apply/edits/edit-target.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import {
  givenLimits,
  jailOf,
  type Identity,
  type Policy,
  type Tenant,
} from '../../../policy/policy.ts';
import { docPage } from '../../../sys/package-files.ts';
import { userPattern } from '../../../policy/value-kinds.ts';
import { administrator, isOfReseller } from '../../core/reseller-filter.ts';
import { readPolicy, type EditablePolicy } from '../lve-policy.ts';
import { lveRow, lveTable } from '../rows.ts';
import { panelLimits, type PanelLimits } from './limits-shape.ts';
import { changeLimits, changesLimits, type PanelEditOptions } from './panel-edit.ts';
import { failedReply, misusedReply, type PanelReply } from './panel-reply.ts';

export interface PanelUser {
  /** Whether the policy gives the tenant a jail. */
  readonly cageFS: 'enabled' | 'disabled';
  /** The tenant's main domain; `-` if it is not known. */
  readonly domain: string;
  /** The uid. */
  readonly id: number;
  /** The limits. A star marks the tenant's own; `0` is none. */
  readonly limits: PanelLimits;
  /** The package; `None` if the tenant has none. */
  readonly package: string;
  /** The reseller; `root` if the tenant has none. */
  readonly reseller: string;
  /** The account; `-` if the uid has none. */
  readonly username: string;
}

export interface PanelUsers {
  /** Whether the policy gives any tenant a jail. */
  readonly cageFS: 'enabled' | 'disabled';
  /** The number of users. */
  readonly items: number;
  /** Always `success`. */
  readonly result: 'success';
  /** The tenants, by uid. */
  readonly users: readonly PanelUser[];
}

export interface LimitsOptions extends PanelEditOptions {
  readonly policy: string;
  readonly apply: boolean;
  readonly json?: boolean;
  readonly username?: string;
  readonly lveId?: string;
  readonly domain?: string;
  readonly resellerName?: string;
  readonly forReseller?: string;
  readonly cagefs?: string;
  readonly inodes?: string;
  readonly mysqlGov?: string;
  readonly mysqlCpu?: string;
  readonly mysqlIo?: string;
}

export interface LimitsCall {
  readonly options: LimitsOptions;
  readonly policy: EditablePolicy;
  /** Looks up the tenants' main domains. */
  readonly domains: () => Promise<MainDomains>;
}

export type LimitsReply = PanelReply<PanelUsers>;

const verbs: Readonly<Record<string, (call: LimitsCall) => Promise<LimitsReply>>> = { get, set };

export async function limitsReply(
  [verb = '', ...rest]: readonly string[],
  call: LimitsCall,
): Promise<LimitsReply> {
  const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (run !== undefined && rest.length === 0) return run(call);
  if (verb.endsWith('-reseller-limits')) {
    const reason = 'a reseller has limits as a whole once the policy gives it some';
    return failedReply({
      action: 'run',
      object: verb,
      reason,
      hint: 'see "bulkhead reseller set"',
    });
  }
  return misusedReply({ reason: 'Write "get" or "set", and options' });
}

async function get({ options, policy, domains: lookUp }: LimitsCall): Promise<LimitsReply> {
  if (options.resellerName !== undefined) {
    return failedReply({
      action: 'show the reseller',
      object: options.resellerName,
      reason: 'this command shows users',
      hint: 'see "lvectl list-reseller --json"',
    });
  }
  const read = readPolicy(policy.reader, policy.file, policy.paths);
  if (!read.ok) return failedReply(...read.error);
  const domains = await lookUp();
  const { policy: found } = read.value;
  const shown = found.tenants.filter((each) => isAsked(found, each, options, domains));
  const asked = options.username ?? options.lveId ?? options.domain;
  if (shown.length === 0 && asked !== undefined) return { kind: 'no such user', user: asked };
  return {
    kind: 'shown',
    json: usersOf(found, shown, domains),
    text: tableOf(shown),
  };
}

function isAsked(
  policy: Policy,
  tenant: Tenant,
  { username, lveId, domain, forReseller }: LimitsOptions,
  domains: MainDomains,
): boolean {
  if (username !== undefined && tenant.account?.user !== username) return false;
  if (lveId !== undefined && String(tenant.uid) !== lveId) return false;
  if (domain !== undefined && domains.get(tenant.uid) !== domain) return false;
  return isOfReseller(forReseller, resellerOf(policy, tenant));
}

const cageOf = (has: boolean) => (has ? 'enabled' : 'disabled');

function usersOf(policy: Policy, tenants: readonly Tenant[], domains: MainDomains): PanelUsers {
  return {
    cageFS: cageOf(policy.tenants.some((each) => jailOf(each) !== undefined)),
    items: tenants.length,
    result: 'success',
    users: tenants.map((each) => userOf(policy, each, domains.get(each.uid))),
  };
}

function userOf(policy: Policy, tenant: Tenant, domain: string | undefined): PanelUser {
  const { account, uid } = tenant;
  return {
    cageFS: cageOf(jailOf(tenant) !== undefined),
    domain: printable(domain ?? '-'),
    id: uid,
    limits: panelLimits(limitNumbers(givenLimits(tenant)), (key) => isOwn(tenant, key)),
    package: printable(tenant.package ?? 'None'),
    reseller: resellerOf(policy, tenant),
    username: printable(account?.user ?? '-'),
  };
}

/** Whether the limit is written for this tenant, and not inherited. */
const isOwn = ({ chain }: Tenant, key: LimitKey) =>
  chain.some(({ kind, written }) => kind === 'tenant' && written.has(key));

function resellerOf({ resellers }: Policy, { reseller: uid }: Tenant): string {
  if (uid === undefined) return administrator;
  const found = resellers.find((each) => each.uid === uid);
  return printable(found?.account?.user ?? String(uid));
}

function tableOf(tenants: readonly Tenant[]): string {
  const cores = availableParallelism();
  return lveTable(
    tenants.map((each) =>
      lveRow(each.account?.user ?? String(each.uid), limitNumbers(givenLimits(each)), cores),
    ),
  );
}

async function set({ options, policy, domains: lookUp }: LimitsCall): Promise<LimitsReply> {
  const read = readPolicy(policy.reader, policy.file, policy.paths);
  if (!read.ok) return failedReply(...read.error);
  const { policy: found } = read.value;
  const { resellerName, username, lveId, domain } = options;
  if (resellerName !== undefined) return setReseller(policy, found, resellerName, options);
  const asked = username ?? lveId ?? domain;
  if (asked === undefined) return misusedReply({ reason: 'Name a user: --username or --lve-id' });
  const domains = domain === undefined ? new Map() : await lookUp();
  const [tenant, another] = found.tenants.filter((each) => isAsked(found, each, options, domains));
  if (tenant === undefined || another !== undefined) return { kind: 'no such user', user: asked };
  const refused = refusals(options, tenant);
  if (refused.length > 0) return failedReply(...refused);
  if (!changesLimits(options)) return { kind: 'changed', warnings: [] };
  return changeLimits(policy, targetOf('tenant', editedName(tenant), policy.paths), options);
}

/** Returns the account, except one that could be taken for a uid. */
function editedName({ account, uid }: Identity): string {
  const user = account?.user ?? '';
  return userPattern.test(user) ? user : String(uid);
}

async function setReseller(
  policy: EditablePolicy,
  { resellers }: Policy,
  name: string,
  options: LimitsOptions,
): Promise<LimitsReply> {
  const { forReseller, username, lveId, domain } = options;
  if (forReseller !== undefined && forReseller !== administrator) {
    const reason = `only the administrator, "${administrator}", may`;
    return failedReply({ action: 'set limits of the reseller', object: name, reason });
  }
  if ([username, lveId, domain].some((each) => each !== undefined)) {
    return misusedReply({ reason: 'Name a user or a reseller, not both' });
  }
  const found = resellers.find(({ account }) => account?.user === name);
  if (found === undefined) return { kind: 'no such user', user: name };
  const [refused] = refusals(options, undefined);
  if (refused !== undefined) return failedReply(refused);
  if (!changesLimits(options)) return { kind: 'changed', warnings: [] };
  return changeLimits(policy, targetOf('reseller', editedName(found), policy.paths), options);
}

/** Returns why options cannot be carried out that are more than limits. */
function refusals(options: LimitsOptions, tenant: Tenant | undefined): readonly Problem[] {
  const { cagefs, inodes } = options;
  const isCaged = tenant !== undefined && jailOf(tenant) !== undefined;
  const databases = (['mysqlGov', 'mysqlCpu', 'mysqlIo'] as const).filter((each) => options[each]);
  return [
    ...(cagefs === undefined || cagefs === cageOf(isCaged)
      ? []
      : [
          {
            action: 'set --cagefs to',
            object: cagefs,
            reason: 'the policy says who has a jail',
            hint: `write <jail> in the policy; see ${docPage('jail')}`,
          },
        ]),
    ...(inodes === undefined
      ? []
      : [
          {
            action: 'set --inodes to',
            object: inodes,
            reason: 'a quota has no soft limit here',
            hint: 'see "bulkhead set TENANT disk.files=100000"',
          },
        ]),
    ...databases.map(() => ({
      action: 'limit databases',
      reason: 'MySQL Governor is not here',
      hint: 'see "bulkhead set TENANT database.cpu=50%"',
    })),
  ];
}
