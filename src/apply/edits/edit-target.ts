/** The elements that edits change, as people and programs name them: `tenant alice`, `package business`, `defaults`. */
import { readHostFacts } from '../../host/accounts/accounts.ts';
import type { Paths } from '../../host/paths.ts';
import type { TenantName } from '../../policy/document.ts';
import type { AccountTarget, EditTarget } from '../../policy/edit.ts';
import { splitSiteName } from '../../policy/policy.ts';
import { valueKinds } from '../../policy/value-kinds.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

/** Returns the target for a tenant or reseller by its name; the policy may have it by uid. */
export function targetOf(kind: 'tenant' | 'reseller', name: string, paths: Paths): AccountTarget {
  const { accounts } = readHostFacts(paths, isUid(name) ? [] : [name]);
  if (isUid(name)) {
    const uid = Number(name);
    const user = accounts.find((each) => each.uid === uid)?.user;
    return withAlias(kind, { kind: 'uid', uid }, user && { kind: 'user', user });
  }
  const uid = accounts.find((each) => each.user === name)?.uid;
  const alias: TenantName | undefined = uid === undefined ? undefined : { kind: 'uid', uid };
  return withAlias(kind, { kind: 'user', user: name }, alias);
}

const isUid = (name: string) => /^\d{1,10}$/.test(name);

function withAlias(
  kind: 'tenant' | 'reseller',
  name: TenantName,
  alias: TenantName | '' | undefined,
): AccountTarget {
  return alias === undefined || alias === '' ? { kind, name } : { kind, name, alias };
}

/** Parses the name of a target. Nothing in it can end an attribute or an element. */
export function parseTarget(text: string, paths: Paths): Result<EditTarget, Cause> {
  if (text === 'defaults') return ok({ kind: 'defaults' });
  const [, kind, name = ''] = /^(package|reseller|tenant|site) (.{1,330})$/.exec(text) ?? [];
  if (kind === 'package') {
    const parsed = valueKinds.name.parse(name);
    return parsed.ok ? ok({ kind, name }) : parsed;
  }
  if (kind === 'reseller' || kind === 'tenant') return accountNamed(kind, name, paths);
  if (kind === 'site') return siteNamed(name, paths);
  return fail({ reason: 'the target of an edit is not known', hint: targetHint });
}

const targetHint =
  'write "defaults", "package NAME", "reseller NAME", "tenant NAME" or "site NAME/SITE"';

function accountNamed(
  kind: 'tenant' | 'reseller',
  name: string,
  paths: Paths,
): Result<AccountTarget, Cause> {
  const parsed = isUid(name) ? valueKinds.uid.parse(name) : valueKinds.user.parse(name);
  return parsed.ok ? ok(targetOf(kind, name, paths)) : parsed;
}

function siteNamed(text: string, paths: Paths): Result<EditTarget, Cause> {
  const [name, site = ''] = splitSiteName(text);
  const parsed = valueKinds.site.parse(site);
  if (!parsed.ok) return parsed;
  const tenant = accountNamed('tenant', name, paths);
  return tenant.ok ? ok({ kind: 'site', name: parsed.value, tenant: tenant.value }) : tenant;
}
