/**
 * The panel's accounts in a policy that follows the panel. An account gets the package of the policy that has the name
 * of its plan, or that a `<plan>` names. A reseller's own plan counts only with its owner, `gold@acme`, since resellers
 * choose the names of their plans. While no package matches, the account has the lower limits of the package that a plan
 * gave it last and of what it would have without that: resellers choose plans, too.
 */
import { count, listSome } from '../../../packages/base/list.ts';
import { formatCause, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Located, Diagnostics, Span } from '../diagnostic.ts';
import type { PackageElement } from '../document.ts';
import { namePattern, nearestName } from '../names.ts';
import type { HostFacts, Identity } from '../policy.ts';
import type { PanelElement, PlanElement } from './panel-element.ts';
import type { LastPackages } from './last-packages.ts';
import type { StatedDatabaseAccount } from '../databases/database-settings.ts';
import { packageKey, type PanelMember, type PanelPlan, type PanelRecord } from './panel-record.ts';

/**
 * The name that a package of the policy has for a plan to apply; undefined if a reseller's plan has no exact one, since
 * the nearest name may be another plan's.
 */
export function packageNameOf({ name, owner }: PanelPlan): string | undefined {
  if (owner === undefined) return nearestName(name);
  const exact = formatPlan({ name, owner });
  return namePattern.test(exact) ? exact : undefined;
}

/** The rule by which the panel's plan decides an account's package, or why it does not. */
export interface PlanRule {
  /** The panel's name. */
  readonly panel: string;
  /** The plan; `gold@acme` if a reseller owns it. Absent if the panel states none. */
  readonly plan?: string;
  /** The element that decides: `<plan>`, or `<panel>` if the package has the plan's name; `kept`: neither, any more. */
  readonly by: 'plan' | 'panel' | 'kept';
  readonly at: Span;
  /** The package; absent if the policy has none for the plan. */
  readonly package?: PackageElement;
}

interface Packages {
  /** The packages of the policy by name. */
  readonly byName: ReadonlyMap<string, PackageElement>;
  /** Finds the package, or reports that there is none. */
  readonly find: (name: Located<string>) => PackageElement | undefined;
}

export class PanelMembers {
  /** Whether the policy follows a panel of which there is no usable record. */
  readonly isUnknown: boolean;
  readonly #members: ReadonlyMap<number, PanelMember>;
  readonly #element: PanelElement | undefined;
  readonly #panel: string;
  readonly #plans = new Map<string, PlanElement>();
  /** The rule of each plan that an account has; accounts of a plan share it. */
  readonly #rules = new Map<string, PlanRule>();
  readonly #packages: Packages['byName'];
  readonly #last: Result<LastPackages, Problem>;
  /** Whether an account has no plan of the policy, so that it may have had a package last. */
  #needsLast = false;
  /** The accounts of each plan that the policy has no package for; undefined: of no plan. */
  readonly #unmatched = new Map<string | undefined, Unmatched>();

  constructor(
    element: PanelElement | undefined,
    { panel: record, lastPackages }: HostFacts,
    { byName, find }: Packages,
    diagnostics: Diagnostics,
  ) {
    this.#packages = byName;
    const members = element && membersOf(element, record, diagnostics);
    this.isUnknown = element !== undefined && members === undefined;
    this.#members = new Map(members?.map((each) => [each.uid, each]));
    this.#element = element;
    this.#panel = record?.ok === true ? record.value.panel : 'The panel';
    this.#last = lastPackages ?? ok(new Map());
    for (const each of element?.plans ?? []) {
      find(each.package);
      this.#addPlan(each, diagnostics);
    }
  }

  #addPlan(plan: PlanElement, diagnostics: Diagnostics): void {
    const key = packageKey(plan);
    if (this.#plans.has(key))
      diagnostics.error(plan, `The plan "${formatPlan(plan)}" occurs twice; write it once`);
    this.#plans.set(key, plan);
  }

  /** Returns what the panel knows of an account; undefined if its uid belongs to somebody else by now. */
  of({ uid, account }: Identity): PanelMember | undefined {
    const found = this.#members.get(uid);
    return found?.user === account?.user ? found : undefined;
  }

  /** The accounts of database servers that the panel states, with the tenants among their owners. */
  databaseAccounts(tenants: readonly Identity[]): readonly StatedDatabaseAccount[] {
    const uids = new Set(
      tenants.filter((each) => this.of(each) !== undefined).map(({ uid }) => uid),
    );
    return [...this.#members.values()].flatMap((each) => {
      const { uid, user, databaseAccounts = [], postgresqlAccounts = [] } = each;
      const owner = { user, ...(uids.has(uid) && { tenant: uid }) };
      return [
        ...databaseAccounts.map((name) => ({ name, ...owner })),
        ...postgresqlAccounts.map((name) => ({ name, kind: 'postgresql' as const, ...owner })),
      ];
    });
  }

  /** Returns the rule for the account's plan; undefined if the panel never stated a plan for it. */
  ruleOf(who: Identity): PlanRule | undefined {
    if (this.#element === undefined) return undefined;
    const plan = this.of(who)?.plan;
    const rule = plan && this.#planRule(plan, this.#element);
    if (rule?.package !== undefined) return rule;
    const last = this.#lastOf(who);
    if (last === undefined) return rule;
    return {
      panel: this.#panel,
      ...(rule?.plan !== undefined && { plan: rule.plan }),
      by: 'kept',
      at: this.#element,
      package: last,
    };
  }

  #planRule(plan: PanelPlan, element: PanelElement): PlanRule {
    const key = packageKey(plan);
    const rule = this.#rules.get(key) ?? this.#makeRule(plan, element);
    this.#rules.set(key, rule);
    return rule;
  }

  /** Returns the package that the account had last by a plan, if the policy still has it. */
  #lastOf({ uid, account }: Identity): PackageElement | undefined {
    const last = this.#last.ok ? this.#last.value.get(uid) : undefined;
    return last?.user === account?.user ? this.#packages.get(last?.package ?? '') : undefined;
  }

  /**
   * Whether the account keeps its last package, and gets no more by it than without it. While nothing is known of the
   * panel, which no reseller can cause, the limits stay.
   */
  keepsLower(who: Identity): boolean {
    return !this.isUnknown && this.ruleOf(who)?.by === 'kept';
  }

  /** Returns the package for the account's plan, or its last one; undefined if the policy has neither. */
  packageOf(who: Identity): PackageElement | undefined {
    const rule = this.ruleOf(who);
    if (this.#element !== undefined && (rule?.package === undefined || rule.by === 'kept'))
      this.#needsLast = true;
    if (rule === undefined) return undefined;
    const isKept = rule.by === 'kept';
    if (isKept || rule.package === undefined) this.#count(rule.plan, isKept);
    return rule.package;
  }

  #count(plan: string | undefined, isKept: boolean): void {
    const { accounts, kept } = this.#unmatched.get(plan) ?? { accounts: 0, kept: 0 };
    this.#unmatched.set(plan, { accounts: accounts + 1, kept: kept + Number(isKept) });
  }

  #makeRule(plan: PanelPlan, element: PanelElement): PlanRule {
    const written = this.#plans.get(packageKey(plan));
    const named = written && this.#packages.get(written.package.value);
    const found = named ?? this.#packages.get(packageNameOf(plan) ?? '');
    const isWritten = written !== undefined && named !== undefined;
    return {
      panel: this.#panel,
      plan: formatPlan(plan),
      by: isWritten ? 'plan' : 'panel',
      at: isWritten ? written : element,
      ...(found && { package: found }),
    };
  }

  /** Reports the plans that the policy has no package for, and whether last packages are needed and not known. */
  report(diagnostics: Diagnostics): void {
    const element = this.#element;
    if (element === undefined) return;
    // The reason why nothing is known of the panel is reported already.
    if (this.#unmatched.size > 0 && !this.isUnknown)
      diagnostics.warn(element, this.#unmatchedText());
    if (this.#last.ok) return;
    const why = formatProblem(this.#last.error);
    if (this.#needsLast)
      diagnostics.error(
        element,
        `Some accounts need their last packages, but the record cannot be read. Without it, they would get the package of their reseller or range, or the defaults. ${why}`,
      );
    else
      diagnostics.warn(
        element,
        `${why}; no account needs it now, and the next apply starts a new one`,
      );
  }

  #unmatchedText(): string {
    const named = [...this.#unmatched].map(
      ([name, { accounts, kept }]) =>
        `${name === undefined ? 'no plan' : `"${name}"`} (${count(accounts, 'account')}${kept === 0 ? '' : `, ${kept} with the last package`})`,
    );
    return `The policy has no package for these plans of the panel: ${listSome(named)}; accounts get the package of their reseller or range, or the defaults; lower limits of their last package stay. Add a <package> of that name, or <plan name="…" package="…"/>`;
  }
}

/** The number of accounts, and how many of them keep their last package. */
interface Unmatched {
  readonly accounts: number;
  readonly kept: number;
}

export const formatPlan = ({
  name,
  owner,
}: {
  readonly name: string;
  readonly owner?: string | undefined;
}): string => (owner === undefined ? name : `${name}@${owner}`);

/** Returns the accounts of the record; undefined, with the reason, if it cannot be used. */
function membersOf(
  element: PanelElement,
  record: HostFacts['panel'],
  diagnostics: Diagnostics,
): readonly PanelMember[] | undefined {
  const read = 'run: bulkhead panel sync';
  if (record === undefined) {
    diagnostics.warn(
      element,
      `The panel has not been read yet, so its accounts keep their last packages; ${read}`,
    );
    return undefined;
  }
  if (!record.ok) {
    diagnostics.warn(
      element,
      `The record of the panel is not used: ${formatCause(record.error)}; its accounts keep their last packages; ${read}`,
    );
    return undefined;
  }
  const { source, panel, members }: PanelRecord = record.value;
  if (element.source === 'auto' || element.source === source) return members;
  diagnostics.warn(
    element,
    `The record is from ${panel}, and the policy follows "${element.source}": accounts keep their last packages; ${read}`,
  );
  return undefined;
}
