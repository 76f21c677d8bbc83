/** The fields of a form for limits. Each says what is in force now, and which line of the policy says so. */
import { useId } from 'preact/hooks';
import type { PolicyResponse } from '../../../agent/api/policy-api.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { attributes } from '../../../limits/limits.ts';
import { quantityKinds } from '../../../../packages/base/quantity.ts';
import { Disclosure } from '../parts/dialog.tsx';
import { English } from '../parts/english.tsx';
import { limitWords } from '../state/language.ts';
import {
  inheritedValue,
  mainLimits,
  otherLimits,
  problemOf,
  type Inherited,
  type Target,
  type Typed,
} from './targets.ts';
import { policyWords } from './words.ts';

interface FieldsProps {
  readonly policy: PolicyResponse;
  readonly target: Target;
  readonly typed: Typed;
  readonly setTyped: (typed: Typed) => void;
}

export function LimitFields(props: FieldsProps) {
  const text = policyWords.value;
  const { policy, target, typed } = props;
  const mayLimits = policy.may === 'all' || policy.may.includes('limits');
  const field = (key: LimitKey) => (
    <LimitField key={key} name={key} {...props} isDisabled={!mayLimits} />
  );
  const hasOthers = otherLimits.some((key) => target.own.has(key));
  const isWrong = otherLimits.some(
    (key) => problemOf(key, typed.values.get(key) ?? '') !== undefined,
  );
  return (
    <>
      <p class="quiet">{emptyText(target)}</p>
      {(target.kind === 'tenant' || target.kind === 'reseller') && <PackageField {...props} />}
      {mainLimits.map(field)}
      {(hasOthers || isWrong) && otherLimits.map(field)}
      {!hasOthers && !isWrong && (
        <Disclosure summary={text.moreLimits}>{otherLimits.map(field)}</Disclosure>
      )}
    </>
  );
}

function emptyText({ kind }: Target): string {
  const text = policyWords.value;
  if (kind === 'reseller') return text.emptyNoBound;
  return kind === 'defaults' ? text.emptyNoLimit : text.emptyInherited;
}

interface LimitFieldProps extends FieldsProps {
  readonly name: LimitKey;
  readonly isDisabled: boolean;
}

function LimitField({ policy, target, typed, setTyped, name, isDisabled }: LimitFieldProps) {
  const id = useId();
  const text = policyWords.value;
  const value = typed.values.get(name) ?? '';
  const problem = problemOf(name, value);
  const packageName = typed.package === '' ? target.inheritedPackage : typed.package;
  const inherited = inheritedValue(policy, target, name, packageName);
  const own = target.own.get(name);
  const isUnwritable = attributes.get(name)?.unlimited === true;
  return (
    <div class="field">
      <label for={id}>{limitWords(name)}</label>
      <input
        id={id}
        value={value}
        placeholder={inherited?.value ?? ''}
        disabled={isDisabled}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        maxLength={60}
        aria-describedby={`${id}-note`}
        {...(problem !== undefined && { 'aria-invalid': true })}
        onInput={(event) =>
          setTyped({
            ...typed,
            values: new Map(typed.values).set(name, event.currentTarget.value),
          })
        }
      />
      <span id={`${id}-note`} class={problem === undefined ? 'quiet' : 'at-limit'}>
        {problem !== undefined ? (
          <English>{problem}</English>
        ) : (
          <>
            {own !== undefined ? text.ownValue(own.value, own.line) : originText(inherited)}
            {value !== (own?.value ?? '') && value.trim() === '' && ` · ${text.willInherit}`}
            <span class="hidden">
              {' '}
              {exampleText(name)} {isUnwritable && text.orUnlimited}
            </span>
          </>
        )}
      </span>
    </div>
  );
}

function originText(inherited: Inherited | undefined): string {
  const text = policyWords.value;
  if (inherited === undefined) return text.noValue;
  const { value, package: name, line } = inherited;
  return name === undefined ? text.fromDefaults(value, line) : text.fromPackage(value, name, line);
}

export function exampleText(key: LimitKey): string {
  const kind = attributes.get(key)?.kind;
  return kind === undefined
    ? ''
    : policyWords.value.forExample(quantityKinds[kind].examples[0] ?? '');
}

function PackageField({ policy, target, typed, setTyped }: FieldsProps) {
  const text = policyWords.value;
  const mayPackages = policy.may === 'all' || policy.may.includes('packages');
  const { inheritedPackage } = target;
  return (
    <PackageSelect
      policy={policy}
      value={typed.package}
      setValue={(name) => setTyped({ ...typed, package: name })}
      none={
        inheritedPackage === undefined
          ? text.noPackage
          : text.packageFromElsewhere(inheritedPackage)
      }
      isDisabled={!mayPackages}
    />
  );
}

interface PackageSelectProps {
  readonly policy: PolicyResponse;
  /** The name of the package; empty if none is chosen. */
  readonly value: string;
  readonly setValue: (name: string) => void;
  /** The text of the choice without a package. */
  readonly none: string;
  readonly isDisabled?: boolean;
}

export function PackageSelect(props: PackageSelectProps) {
  const { policy, value, setValue, none, isDisabled = false } = props;
  const id = useId();
  const isUnknown = value !== '' && policy.packages.every(({ name }) => name !== value);
  return (
    <div class="field">
      <label for={id}>{policyWords.value.package}</label>
      <select
        id={id}
        value={value}
        disabled={isDisabled}
        onChange={(event) => setValue(event.currentTarget.value)}
      >
        <option value="">{none}</option>
        {isUnknown && <option value={value}>{value}</option>}
        {policy.packages.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <span class="quiet" />
    </div>
  );
}
