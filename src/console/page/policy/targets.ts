/** The target of a form: the values that are its own, and those that it inherits. */
import type { PolicyEdit, PolicyResponse, PolicyValue } from '../../../agent/api/policy-api.ts';
import { attributes } from '../../../limits/limits.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { parseLimit } from '../../../policy/parse-limit.ts';
import { formatCause } from '../../../../packages/base/problem.ts';

export type TargetKind = 'defaults' | 'package' | 'reseller' | 'tenant' | 'site';

export interface Target {
  readonly kind: TargetKind;
  /** The target of edits. */
  readonly target: string;
  readonly name: string;
  readonly line?: number;
  readonly own: ReadonlyMap<LimitKey, PolicyValue>;
  /** The package that its own element names. */
  readonly package?: string;
  /** The package that it has from elsewhere: a range of uids, or the panel. */
  readonly inheritedPackage?: string;
  readonly reseller?: string;
  /** Whether the policy has an element for it. */
  readonly isWritten: boolean;
}

const byKey = (values: readonly PolicyValue[]) =>
  new Map(values.filter(({ from }) => from === undefined).map((each) => [each.limit, each]));

const kindOf = (target: string) => target.split(' ', 1)[0] as TargetKind;
export const nameOf = (target: string): string => target.slice(kindOf(target).length).trim();

/** Returns the target in the policy; one that the policy does not have yet has no values. */
export function targetOf(policy: PolicyResponse, target: string): Target {
  const kind = kindOf(target);
  const name = nameOf(target);
  const fresh: Target = { kind, target, name, own: new Map(), isWritten: false };
  if (kind === 'defaults') {
    const { line, values } = policy.defaults;
    return { ...fresh, ...lineOf(line), own: byKey(values), isWritten: values.length > 0 };
  }
  if (kind === 'package') {
    const found = policy.packages.find((each) => each.name === name);
    if (found === undefined) return fresh;
    return { ...fresh, ...lineOf(found.line), own: byKey(found.values), isWritten: true };
  }
  const isIt = (each: { readonly target: string; readonly name: string }) =>
    each.target === target || each.name === name;
  if (kind === 'reseller') {
    const found = policy.resellers.find(isIt);
    if (found === undefined) return fresh;
    const { package: given } = found;
    return {
      ...fresh,
      ...lineOf(found.line),
      target: found.target,
      own: byKey(found.values),
      isWritten: true,
      ...(given !== undefined && { package: given }),
    };
  }
  const found = policy.tenants.find(isIt);
  if (found === undefined) return fresh;
  const { package: given, isPackageOwn, reseller } = found;
  return {
    ...fresh,
    ...lineOf(found.line),
    target: found.target,
    own: byKey(found.values),
    isWritten: found.line !== undefined || found.values.length > 0 || isPackageOwn,
    ...(given !== undefined && (isPackageOwn ? { package: given } : { inheritedPackage: given })),
    ...(reseller !== undefined && { reseller }),
  };
}

const lineOf = (line: number | undefined) => (line === undefined ? {} : { line });

export interface Inherited {
  readonly value: string;
  readonly line?: number;
  /** The origin: the name of a package; absent: the defaults. */
  readonly package?: string;
}

/** Returns the value that an element without its own one has, with a package or without. */
export function inheritedValue(
  policy: PolicyResponse,
  { kind }: Target,
  key: LimitKey,
  packageName: string | undefined,
): Inherited | undefined {
  if (kind === 'defaults') return undefined;
  const pack =
    packageName === undefined || kind === 'package'
      ? undefined
      : policy.packages.find(({ name }) => name === packageName);
  const found = pack?.values.find(({ limit }) => limit === key);
  if (found !== undefined && found.from === undefined)
    return { value: found.value, package: pack?.name ?? '', ...lineOf(found.line) };
  // Bounds of a reseller do not come from the defaults, which are for each tenant.
  if (kind === 'reseller') return undefined;
  const general = found ?? policy.defaults.values.find(({ limit }) => limit === key);
  return general && { value: general.value, ...lineOf(general.line) };
}

export const mainLimits: readonly LimitKey[] = [
  'cpu.limit',
  'memory.limit',
  'io.read',
  'io.write',
  'processes.limit',
  'entries.limit',
];
export const otherLimits: readonly LimitKey[] = [...attributes.keys()].filter(
  (key) => !mainLimits.includes(key),
);

/** Returns what is wrong with a value; undefined if nothing is. Empty means: inherited. */
export function problemOf(key: LimitKey, text: string): string | undefined {
  if (text.trim() === '') return undefined;
  const parsed = parseLimit(key, text.trim());
  return parsed === undefined || parsed.ok ? undefined : formatCause(parsed.error);
}

/** The content of a form: the text of each limit, and the package; an empty text means: inherited. */
export interface Typed {
  readonly values: ReadonlyMap<LimitKey, string>;
  readonly package: string;
}

export const typedOf = ({ own, package: given }: Target): Typed => ({
  values: new Map([...own].map(([key, { value }]) => [key, value])),
  package: given ?? '',
});

/** Returns the edit from what the element has to what was typed; undefined if it is the same. */
export function editOf(target: Target, typed: Typed): PolicyEdit | undefined {
  const set: Record<string, string> = {};
  const unset: string[] = [];
  for (const key of attributes.keys()) {
    const before = target.own.get(key)?.value ?? '';
    const now = (typed.values.get(key) ?? '').trim();
    if (now === before) continue;
    if (now === '') unset.push(key);
    else set[key] = now;
  }
  if (typed.package !== (target.package ?? '')) {
    if (typed.package === '') unset.push('package');
    else set['package'] = typed.package;
  }
  if (Object.keys(set).length + unset.length === 0) return undefined;
  return {
    target: target.target,
    ...(Object.keys(set).length > 0 && { set }),
    ...(unset.length > 0 && { unset }),
  };
}
