/** Policies of a few resellers and tenants, with any of the limits. */
import fc from 'fast-check';
import type { LimitKey, LimitValues } from '../../src/limits/limit.ts';
import { attributes } from '../../src/limits/limits.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { defaultSettings } from '../../src/policy/settings.ts';
import { unlimited, type Quantity, type QuantityKind } from '../../packages/base/quantity.ts';

const gibibyte = 2 ** 30;
const integer = (max: number) => fc.integer({ min: 1, max });
const hundredth = (value: number) => value / 100;
const quantities: Readonly<Record<QuantityKind, fc.Arbitrary<number>>> = {
  cpu: integer(800).map(hundredth),
  weight: integer(10_000),
  bytes: fc.oneof(integer(64 * gibibyte), fc.constantFrom(gibibyte, 2 * gibibyte)),
  bytesPerSecond: integer(gibibyte),
  perSecond: integer(100_000),
  count: integer(5_000_000),
  duration: integer(3_600_000),
};

const keys = [...attributes.keys()];
const quantityOf = (key: LimitKey): fc.Arbitrary<Quantity> => {
  const {
    kind,
    min,
    unlimited: mayBeUnlimited,
  } = attributes.get(key) as {
    readonly kind: QuantityKind;
    readonly min: number;
    readonly unlimited: boolean;
  };
  const value = quantities[kind].map((each) => Math.max(min, each) as Quantity);
  return mayBeUnlimited
    ? fc.oneof({ weight: 4, arbitrary: value }, fc.constant<Quantity>(unlimited))
    : value;
};

/** Limits of one tenant or reseller, each of which may be absent. */
export const limitValues: fc.Arbitrary<LimitValues> = fc.record(
  Object.fromEntries(keys.map((key) => [key, quantityOf(key)])),
  { requiredKeys: [] },
);

const bare = { account: undefined, package: undefined, chain: [], sites: [] };

type Sites = readonly { readonly name: string; readonly values: LimitValues }[];

export const policyOf = (
  resellers: readonly { readonly uid: number; readonly values: LimitValues }[],
  tenants: readonly {
    readonly uid: number;
    readonly reseller: number | undefined;
    readonly values: LimitValues;
    readonly sites?: Sites;
  }[],
): Policy => ({
  file: 'policy.xml',
  text: '',
  resellers: resellers.map((each) => ({ ...bare, ...each })),
  tenants: tenants.map(({ sites = [], ...each }) => ({
    ...bare,
    ...each,
    sites: sites.map((site) => ({ ...site, chain: [] })),
  })),
  defaults: {},
  driver: undefined,
  agent: defaultSettings,
  named: [],
  missing: [],
});

const some = <T>(all: readonly T[]) => fc.subarray([...all]);

const siteNames = ['a.example', 'b.example'] as const;
const siteSets: fc.Arbitrary<Sites> = fc
  .record({ names: some(siteNames), values: fc.array(limitValues, { minLength: 2, maxLength: 2 }) })
  .map(({ names, values }) =>
    names.map((name) => ({ name, values: values[siteNames.indexOf(name)] ?? {} })),
  );

/** A tenant may be at another reseller in another policy, have other sites, or be missing. */
export const policies: fc.Arbitrary<Policy> = fc
  .record({
    resellers: some([2000, 2001]),
    tenants: some([1001, 1002, 1003]),
    places: fc.array(fc.constantFrom(0, 1, 2), { minLength: 3, maxLength: 3 }),
    values: fc.array(limitValues, { minLength: 5, maxLength: 5 }),
    sites: fc.array(fc.oneof(fc.constant<Sites>([]), siteSets), { minLength: 3, maxLength: 3 }),
  })
  .map(({ resellers, tenants, places, values, sites }) =>
    policyOf(
      resellers.map((uid) => ({ uid, values: values[uid - 2000] ?? {} })),
      tenants.map((uid) => ({
        uid,
        reseller: resellers[(places[uid - 1001] ?? 0) - 1],
        values: values[uid - 1001 + 2] ?? {},
        sites: sites[uid - 1001] ?? [],
      })),
    ),
  );
