/** The policy as forms need it: each element's own values, and what they inherit. */
import { formatQuantity, unlimited, type Quantity } from '../../../packages/base/quantity.ts';
import type { Loaded } from '../../apply/load-policy.ts';
import { readPolicyFile } from '../../host/policy-file.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { attributes, limitAttribute } from '../../limits/limits.ts';
import type { Diagnostic } from '../../policy/diagnostic.ts';
import type { LineIndex, Span } from '../../policy/diagnostic.ts';
import { linesOf, writtenPlace } from '../../policy/fleet/merged.ts';
import type {
  LimitBlock,
  PolicyDocument,
  TenantElement,
  TenantName,
} from '../../policy/document.ts';
import {
  givenLimits,
  nameOf,
  type Identity,
  type Policy,
  type Reseller,
  type Tenant,
} from '../../policy/policy.ts';
import type { Delegation } from '../../policy/rights/may-edit.ts';
import { keyOfText } from '../../store/changes/change-store.ts';
import type {
  PolicyPackage,
  PolicyReseller,
  PolicyResponse,
  PolicyTenant,
  PolicyValue,
} from '../api/policy-api.ts';
import { pendingEntries, pendingOf } from './goes-back/going-back.ts';
import { answer, refusal } from './job-answer.ts';
import { packagesOf } from './neutral-answer.ts';
import { resellerWho, writtenIn, type PolicyContext } from './policy-context.ts';
import type { PolicyJobAnswer } from './policy-job.ts';

const diagnosticsMax = 200;

export function readPolicy(context: PolicyContext): PolicyJobAnswer {
  const { file, paths, reader, audience, editor } = context;
  const read = readPolicyFile(file);
  if (!read.ok) return refusal(404, read.error);
  const text = read.value;
  const loaded = reader.resolve(file, text, paths);
  const written = writtenIn(loaded);
  const own = resellerWho(context, written);
  if (audience.kind === 'reseller' && own === undefined)
    return refusal(403, { action: 'show the policy', reason: 'you are not a reseller of it' });
  const shown = new ShownPolicy(loaded.document, loaded.policy, own);
  const etag = etagFor(text, loaded, own);
  const entries = pendingEntries(paths, file, own?.reseller.uid);
  const pending = entries.find(({ uid }) => uid === (own?.reseller.uid ?? 0));
  const others = entries.filter((each) => each !== pending);
  const isReader = editor.kind === 'reader';
  const response: PolicyResponse = {
    ...(own === undefined && { file, text }),
    etag,
    diagnostics: own === undefined ? worst(loaded.diagnostics) : [],
    isEditable: loaded.document !== undefined && reader.foreignFormat(text) === undefined,
    may: isReader ? [] : own === undefined ? 'all' : own.rights,
    ...shown.elements(),
    ...(pending !== undefined && { pending: pendingOf(pending) }),
    ...(others.length > 0 && { othersPending: others.map(pendingOf) }),
  };
  return answer(response);
}

/**
 * Returns the ETag of a text for its reader: SHA-256 of all of it for root, and of its own part for a reseller. A hash of
 * the rest would report others' changes, and confirm guesses of what the text contains.
 */
export const etagFor = (
  text: string,
  { document, policy }: Pick<Loaded, 'document' | 'policy'>,
  own: Delegation | undefined,
): string =>
  own === undefined
    ? keyOfText(text)
    : keyOfText(
        JSON.stringify([
          ownText(document?.text ?? text, own.element),
          own.rights,
          new ShownPolicy(document, policy, own).elements(),
        ]),
      );

/** Returns the source of a reseller's element. */
export const ownText = (text: string, { start, end }: Span): string => text.slice(start, end);

function worst(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const { error = [], ...others } = Object.groupBy(diagnostics, ({ severity }) => severity);
  return [...error, ...Object.values(others).flat()].slice(0, diagnosticsMax);
}

type Elements = Pick<PolicyResponse, 'defaults' | 'packages' | 'resellers' | 'tenants'>;

/** The elements of a policy; for a reseller only its own, and without lines. */
class ShownPolicy {
  readonly #document: PolicyDocument | undefined;
  readonly #tenants: readonly Tenant[];
  readonly #resellers: readonly Reseller[];
  readonly #own: Delegation | undefined;
  readonly #lines: LineIndex | undefined;
  readonly #elements = new Map<string, TenantElement>();

  constructor(
    document: PolicyDocument | undefined,
    policy: Policy | undefined,
    own: Delegation | undefined,
  ) {
    this.#document = document;
    this.#own = own;
    this.#lines = own === undefined && document ? linesOf(document) : undefined;
    const uid = own?.reseller.uid;
    const tenants = policy?.tenants ?? [];
    this.#tenants = own === undefined ? tenants : tenants.filter((each) => each.reseller === uid);
    const resellers = policy?.resellers ?? [];
    this.#resellers = own === undefined ? resellers : [own.reseller];
    const inResellers = (document?.resellers ?? []).flatMap((each) => each.tenants);
    for (const each of [...(document?.tenants ?? []), ...inResellers])
      this.#elements.set(keyOf(each.name.value), each);
  }

  elements(): Elements {
    const defaults = this.#document?.defaults;
    return {
      defaults: { ...this.#line(defaults), values: this.#values(defaults) },
      packages: this.#packages(),
      resellers: this.#resellers.map((each) => this.#reseller(each)),
      tenants: this.#tenants.map((each) => this.#tenant(each)),
    };
  }

  /** Returns the line in the policy's own file; the file if another one has it. */
  #line(at: Span | undefined): { readonly line?: number; readonly file?: string } {
    if (at === undefined || this.#lines === undefined) return {};
    const { line, file } = writtenPlace(this.#lines, at);
    return file === undefined ? { line } : { file };
  }

  /** Returns the values of an element, in the order of the table of limits. */
  #values(block: LimitBlock | undefined, from?: string): readonly PolicyValue[] {
    return [...attributes.keys()].flatMap((limit): readonly PolicyValue[] => {
      const found = block?.values.get(limit);
      if (found === undefined) return [];
      const value = formatQuantity(limitAttribute(limit).kind, found.value);
      return [{ limit, value, ...this.#line(found), ...(from !== undefined && { from }) }];
    });
  }

  #packages(): readonly PolicyPackage[] {
    const counts = Map.groupBy(this.#tenants, (each) => each.package);
    const inherited = this.#values(this.#document?.defaults, 'defaults');
    const own = this.#own;
    const visible =
      own && this.#document ? packagesOf(this.#document, this.#tenants, own) : undefined;
    return (this.#document?.packages ?? []).flatMap((each): readonly PolicyPackage[] => {
      const name = each.name.value;
      const tenants = counts.get(name)?.length ?? 0;
      if (visible?.has(name) === false) return [];
      const more = inherited.filter(({ limit }) => !each.values.has(limit));
      const values = [...this.#values(each), ...more];
      const forWhom = own === undefined && each.for && { for: each.for.map(({ value }) => value) };
      return [{ name, ...this.#line(each), values, tenants, ...forWhom }];
    });
  }

  #reseller(reseller: Reseller): PolicyReseller {
    const { uid, may } = reseller;
    const element = this.#document?.resellers.find(({ name }) => isName(name.value, reseller));
    const tenants = this.#tenants.filter((each) => each.reseller === uid);
    return {
      name: nameOf(reseller),
      target: `reseller ${targetName(element?.name.value, reseller)}`,
      uid,
      ...this.#line(element),
      ...(reseller.package !== undefined && { package: reseller.package }),
      values: this.#values(element),
      sums: sumsOf(reseller, tenants),
      tenants: tenants.length,
      may: may?.value ?? [],
    };
  }

  #tenant(tenant: Tenant): PolicyTenant {
    const { uid, account } = tenant;
    const element =
      this.#elements.get(`uid ${uid}`) ?? (account && this.#elements.get(`user ${account.user}`));
    const reseller = this.#resellers.find((each) => each.uid === tenant.reseller);
    return {
      name: nameOf(tenant),
      target: `tenant ${targetName(element?.name.value, tenant)}`,
      uid,
      ...this.#line(element),
      ...(reseller && { reseller: nameOf(reseller) }),
      ...(tenant.package !== undefined && { package: tenant.package }),
      isPackageOwn: element?.package !== undefined,
      values: this.#values(element),
    };
  }
}

const keyOf = (name: TenantName) => (name.kind === 'uid' ? `uid ${name.uid}` : `user ${name.user}`);

const isName = (name: TenantName, { uid, account }: Identity) =>
  name.kind === 'uid' ? name.uid === uid : name.user === account?.user;

const targetName = (name: TenantName | undefined, { uid, account }: Identity): string => {
  if (name !== undefined) return name.kind === 'uid' ? `${name.uid}` : name.user;
  return account?.user ?? `${uid}`;
};

/** Returns what the tenants were promised together, of the reseller's limits and of CPU time and memory. */
function sumsOf(reseller: Reseller, tenants: readonly Tenant[]): PolicyReseller['sums'] {
  const bounds = Object.keys(givenLimits(reseller)) as LimitKey[];
  const keys = new Set<LimitKey>(['cpu.limit', 'memory.limit', ...bounds]);
  return [...keys].flatMap((limit) => {
    const { kind } = limitAttribute(limit);
    if (kind === 'weight') return [];
    const values = tenants.map((each) => givenLimits(each)[limit] ?? unlimited);
    const known = values.filter((each) => each !== unlimited);
    const sum = known.reduce<number>((all, each) => all + each, 0);
    const unlimitedTenants = values.length - known.length;
    return [{ limit, value: formatQuantity(kind, sum as Quantity), unlimitedTenants }];
  });
}
