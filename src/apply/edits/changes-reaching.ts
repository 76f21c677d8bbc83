/** The recorded changes that reached an account: of its own elements, of its package, and of the defaults. */
import type { LimitKey } from '../../limits/limit.ts';
import { attributes } from '../../limits/limits.ts';
import type { Paths } from '../../host/paths.ts';
import type { ValueChange } from '../../policy/changes/describe.ts';
import { valuesOf, type Chain, type Link, type Policy } from '../../policy/policy.ts';
import type { PolicyReader } from '../load-policy.ts';
import { readText, type ListedChange } from '../read-changes.ts';
import { namesOfAccount, valuesOfChange } from './account-changes.ts';

/** Returns a change with the values that reached an account, and none without one. */
export type ReachOf = (change: ListedChange) => readonly ListedChange[];

/**
 * Resolving a text takes long, so what it means for the account is kept: the text after a change is the one before the
 * next.
 */
export function reaching(account: string, paths: Paths, reader: PolicyReader): ReachOf {
  const names = namesOfAccount(account, paths);
  const chains = new Map<string, Chain | undefined>();
  const chainAt = (file: string, key: string): Chain | undefined => {
    if (!chains.has(key)) {
      const text = readText(paths, key);
      const chain = text.ok
        ? chainOf(reader.resolve(file, text.value, paths).policy, names)
        : undefined;
      chains.set(key, chain);
    }
    return chains.get(key);
  };
  return (change) => {
    const all = valuesOfChange(change, paths);
    const reaches = all.some(isShared) ? reachOf(change, chainAt) : undefined;
    const values = all.filter(({ accounts, ...value }) =>
      accounts.length === 0 ? reaches?.(value) : accounts.some((each) => names.includes(each)),
    );
    return values.length === 0 ? [] : [{ ...change, changed: { count: values.length, values } }];
  };
}

const isShared = ({ accounts, element }: ValueChange) =>
  accounts.length === 0 && (element === theDefaults || element.startsWith('package '));

const theDefaults = 'the defaults';

type Reach = (value: Omit<ValueChange, 'accounts'>) => boolean;

/** Returns what reached the account of a change of packages and defaults; nothing if one of the texts is not known. */
function reachOf(
  { file, beforeKey, textKey }: ListedChange,
  chainAt: (file: string, key: string) => Chain | undefined,
): Reach | undefined {
  const before = beforeKey === undefined ? undefined : chainAt(file, beforeKey);
  const after = chainAt(file, textKey);
  if (before === undefined || after === undefined) return undefined;
  return ({ element, setting }) => {
    if (![...before, ...after].some((link) => elementOf(link) === element)) return false;
    const key = setting as LimitKey;
    return !attributes.has(key) || valuesOf(before)[key] !== valuesOf(after)[key];
  };
}

const chainOf = (policy: Policy | undefined, names: readonly string[]): Chain =>
  [...(policy?.tenants ?? []), ...(policy?.resellers ?? [])].find(
    ({ uid, account }) =>
      names.includes(`${uid}`) || (account !== undefined && names.includes(account.user)),
  )?.chain ?? [];

function elementOf({ kind, name }: Link): string | undefined {
  if (kind === 'defaults') return theDefaults;
  return kind === 'package' || kind === 'reseller package' ? `package "${name}"` : undefined;
}
