/** The forms of the policy: defaults and packages beside each other, resellers, and tenants with values of their own. */
import { useState } from 'preact/hooks';
import type {
  PolicyReseller,
  PolicyResponse,
  PolicyTenant,
  PolicyValue,
} from '../../../agent/api/policy-api.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { namePattern } from '../../../policy/names.ts';
import { Empty } from '../parts/notes.tsx';
import { limitWords, numbers, words } from '../state/language.ts';
import { href } from '../state/route.ts';
import { role } from '../state/live.ts';
import { sessionInfo } from '../state/session.ts';
import { ChangeButton } from './change-button.tsx';
import { ChangeDialog } from './change-dialog.tsx';
import { mainLimits } from './targets.ts';
import { policyWords } from './words.ts';

export function FormsView({ policy }: { readonly policy: PolicyResponse }) {
  const { may, resellers } = policy;
  return (
    <>
      {may !== 'all' && <p class="note">{rightsText(may)}</p>}
      <Packages policy={policy} />
      {resellers.length > 0 && <Resellers resellers={resellers} canChange={may === 'all'} />}
      <Tenants policy={policy} />
    </>
  );
}

function rightsText(may: readonly ('limits' | 'packages')[]): string {
  const text = policyWords.value;
  if (may.length === 0) return text.mayNothing;
  return text.may(numbers.value.list(may.map((each) => text.rights[each])));
}

interface PackageRow {
  readonly name: string;
  readonly target: string;
  readonly tenants?: number;
  readonly values: readonly PolicyValue[];
}

function Packages({ policy }: { readonly policy: PolicyResponse }) {
  const text = policyWords.value;
  const isRoot = role.value === 'root';
  const rows: readonly PackageRow[] = [
    ...(isRoot
      ? [{ name: text.defaults, target: 'defaults', values: policy.defaults.values }]
      : []),
    ...policy.packages.map(({ name, tenants, values }) => ({
      name,
      target: `package ${name}`,
      tenants,
      values,
    })),
  ];
  return (
    <section class="panel">
      <h2>{text.packages}</h2>
      <p class="quiet">{text.packagesHint}</p>
      <div class="cards">
        {rows.map((row) => (
          <PackageCard key={row.target} row={row} canChange={isRoot} />
        ))}
      </div>
      {policy.packages.length === 0 && <p>{text.noPackages}</p>}
      {isRoot && <NewPackage taken={policy.packages.map(({ name }) => name)} />}
    </section>
  );
}

interface PackageCardProps {
  readonly row: PackageRow;
  readonly canChange: boolean;
}

function PackageCard({ row, canChange }: PackageCardProps) {
  const text = policyWords.value;
  const { name, target, tenants, values } = row;
  return (
    <article class="card">
      <h3>{name}</h3>
      <p class="quiet">{tenants === undefined ? text.defaultsHint : text.haveIt(tenants)}</p>
      <Values values={values} isDefaults={tenants === undefined} />
      {canChange && <ChangeButton target={target} name={name} />}
    </article>
  );
}

interface ValuesProps {
  readonly values: readonly PolicyValue[];
  readonly isDefaults: boolean;
}

/** The main limits, and those besides them that are set. */
function Values({ values, isDefaults }: ValuesProps) {
  const text = policyWords.value;
  const known = new Map(values.map((each) => [each.limit, each]));
  const keys: readonly LimitKey[] = [
    ...mainLimits,
    ...[...known.keys()].filter((key) => !mainLimits.includes(key)),
  ];
  return (
    <dl class="facts">
      {keys.map((key) => {
        const value = known.get(key);
        const isInherited = value?.from !== undefined || (value === undefined && !isDefaults);
        return (
          <div key={key}>
            <dt>{limitWords(key)}</dt>
            <dd class={isInherited ? 'quiet' : undefined}>
              {value?.value ?? words.value.unlimited}
              {isInherited && value !== undefined && ` ${text.inheritedMark}`}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

function NewPackage({ taken }: { readonly taken: readonly string[] }) {
  const text = policyWords.value;
  const [name, setName] = useState('');
  const [opened, setOpened] = useState<string | undefined>();
  const trimmed = name.trim();
  const problem =
    trimmed === ''
      ? undefined
      : taken.includes(trimmed)
        ? text.nameTaken
        : namePattern.test(trimmed)
          ? undefined
          : text.nameWrong;
  if (sessionInfo.value?.readOnly !== false) return null;
  return (
    <form
      class="tools"
      onSubmit={(event) => {
        event.preventDefault();
        if (trimmed !== '' && problem === undefined) setOpened(trimmed);
      }}
    >
      <label>
        {text.newPackage}{' '}
        <input
          value={name}
          maxLength={64}
          autocomplete="off"
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={trimmed === '' || problem !== undefined}>
        {text.setItsLimits}
      </button>
      <span role="status" class="at-limit">
        {problem}
      </span>
      {opened !== undefined && (
        <ChangeDialog
          target={`package ${opened}`}
          onClose={() => {
            setOpened(undefined);
            setName('');
          }}
        />
      )}
    </form>
  );
}

interface ResellersProps {
  readonly resellers: readonly PolicyReseller[];
  readonly canChange: boolean;
}

function Resellers({ resellers, canChange }: ResellersProps) {
  const text = policyWords.value;
  return (
    <section class="panel">
      <h2>{text.resellers}</h2>
      <p class="quiet">{text.resellersHint}</p>
      <div class="cards">
        {resellers.map(({ name, target, tenants, values, sums, may }) => (
          <article class="card" key={target}>
            <h3>{name}</h3>
            <p class="quiet">
              {words.value.tenants(tenants)} · {rightsText(may)}
            </p>
            <dl class="facts">
              {values.map(({ limit, value }) => {
                const sum = sums.find((each) => each.limit === limit);
                return (
                  <div key={limit}>
                    <dt>{limitWords(limit)}</dt>
                    <dd>
                      {value} {sum !== undefined && sumText(sum)}
                    </dd>
                  </div>
                );
              })}
            </dl>
            {values.length === 0 && <p>{text.noBounds}</p>}
            {canChange && <ChangeButton target={target} name={name} />}
          </article>
        ))}
      </div>
    </section>
  );
}

function sumText({ value, unlimitedTenants }: PolicyReseller['sums'][number]): string {
  const text = policyWords.value;
  return unlimitedTenants === 0
    ? text.promised(value)
    : text.promisedAndUnlimited(value, unlimitedTenants);
}

const tenantsMax = 50;

/** Tenants with values of their own; the page of each tenant has the same form. */
function Tenants({ policy: { tenants, may } }: { readonly policy: PolicyResponse }) {
  const text = policyWords.value;
  const own = tenants.filter(({ values, isPackageOwn }) => values.length > 0 || isPackageOwn);
  const shown = (may === 'all' ? own.filter(({ values }) => values.length > 0) : tenants).slice(
    0,
    tenantsMax,
  );
  if (tenants.length === 0) return <Empty title={text.noTenants} />;
  return (
    <section class="panel">
      <h2>{may === 'all' ? text.ownTenants : text.yourTenants}</h2>
      {shown.length === 0 && <p>{text.noOwnTenants}</p>}
      <ul class="list">
        {shown.map((tenant) => (
          <TenantItem key={tenant.target} tenant={tenant} canChange={may.length > 0} />
        ))}
      </ul>
      <p>
        <a href={href(['tenants'])}>{text.allTenants(tenants.length)}</a>
      </p>
    </section>
  );
}

interface TenantItemProps {
  readonly tenant: PolicyTenant;
  readonly canChange: boolean;
}

function TenantItem({ tenant, canChange }: TenantItemProps) {
  const { name, target, values, line } = tenant;
  const texts = values.map(({ limit, value }) => `${limitWords(limit)} ${value}`);
  return (
    <li class="with-button">
      <span>
        <a class="name" href={href(['tenants', name])}>
          {name}
        </a>
        <span class="quiet">
          {[tenant.package, ...texts].filter((each) => each !== undefined).join(' · ')}
          {line !== undefined && ` (${policyWords.value.line(line)})`}
        </span>
      </span>
      {canChange && <ChangeButton target={target} name={name} />}
    </li>
  );
}
