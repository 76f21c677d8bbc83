/**
 * Changes of a policy as values, for people and programs.
 *
 *     tenant "alice": cpu.limit 100% → 150%
 *     package "business": added
 *     package "business": cpu.limit set to 200%
 *     the defaults: memory.soft 1GiB removed
 */
import { xmlAttribute, type XmlElement } from '../xml.ts';
import { namingAttributes, type ElementPath, type PolicyChange } from './compare.ts';

/** A change of a policy in values. */
export interface ValueChange {
  /** `set`: an attribute; `added`, `removed`: an element; `order`: the order of an element's children. */
  readonly kind: 'set' | 'added' | 'removed' | 'order';
  /** The element: `tenant "alice"`, `site "a.example" of tenant "alice"`, `the defaults`. */
  readonly element: string;
  /** The accounts that the element belongs to, as the policy names them: user names, or uids as digits. */
  readonly accounts: readonly string[];
  /** The attribute: `cpu.limit`, `package`. */
  readonly setting?: string;
  /** The value before; absent if there was none. */
  readonly from?: string;
  /** The value after; absent if there is none. */
  readonly to?: string;
}

/** The maximum length of a value, and of a name, that is shown. */
const valueMax = 200;

/** Lists changes in values. The attributes of an added or removed element count one by one. */
export const valueChanges = (changes: readonly PolicyChange[]): readonly ValueChange[] =>
  changes.flatMap(valuesOfChange);

function valuesOfChange(change: PolicyChange): readonly ValueChange[] {
  if (change.kind === 'order') return [{ kind: 'order', ...placeOf(change.path).place }];
  if (change.kind === 'set') {
    const { place, prefix } = placeOf(change.path);
    const { from, to } = change;
    return [
      { kind: 'set', ...place, setting: bounded(prefix + change.attribute), ...values(from, to) },
    ];
  }
  return wholeElement(change.kind, change.path, change.element);
}

function wholeElement(
  kind: 'added' | 'removed',
  path: ElementPath,
  element: XmlElement,
): readonly ValueChange[] {
  const { place, prefix } = placeOf(path);
  const isOwn = isNamed(element) || prefix === '';
  const whole: readonly ValueChange[] =
    isOwn || element.attributes.length === 0
      ? [{ kind, ...place, ...(prefix !== '' && { setting: bounded(prefix.slice(0, -1)) }) }]
      : [];
  const naming = isOwn ? namingAttributes(element) : [];
  const attributes = element.attributes.flatMap(({ name, value }): readonly ValueChange[] => {
    if (naming.includes(name)) return [];
    const change =
      kind === 'added' ? values(undefined, value.value) : values(value.value, undefined);
    return [{ kind: 'set', ...place, setting: bounded(prefix + name), ...change }];
  });
  const children = element.children.flatMap((each) => wholeElement(kind, [...path, each], each));
  return [...whole, ...attributes, ...children];
}

const values = (from: string | undefined, to: string | undefined) => ({
  ...(from !== undefined && { from: bounded(from) }),
  ...(to !== undefined && { to: bounded(to) }),
});

const bounded = (text: string) => (text.length > valueMax ? `${text.slice(0, valueMax)}…` : text);

/** Elements that people know as such; the others are settings of these. */
const known = [
  'defaults',
  'package',
  'tenant',
  'reseller',
  'site',
  'tenants',
  'host',
  'agent',
  'console',
];

const isNamed = (element: XmlElement) =>
  namingAttributes(element).some((name) => xmlAttribute(element, name) !== undefined);

/** Returns the element's name for people, and what comes before an attribute's name: `cpu.`. */
function placeOf(path: ElementPath) {
  const cut = path.findLastIndex((each) => known.includes(each.name) || isNamed(each)) + 1;
  const [main, more] = [path.slice(0, cut), path.slice(cut)];
  const element = main.toReversed().map(nameOfElement).join(' of ');
  const accounts = main.flatMap((each) =>
    each.name === 'tenant' || each.name === 'reseller'
      ? [bounded(xmlAttribute(each, 'user')?.value ?? xmlAttribute(each, 'uid')?.value ?? '')]
      : [],
  );
  return {
    place: { element: element === '' ? 'the policy' : element, accounts },
    prefix: more.map((each) => `${each.name}.`).join(''),
  };
}

function nameOfElement(element: XmlElement): string {
  if (element.name === 'defaults') return 'the defaults';
  const [name] = namingAttributes(element)
    .filter((each) => each !== 'uid')
    .flatMap((each) => xmlAttribute(element, each) ?? []);
  if (name !== undefined) return `${bounded(element.name)} "${bounded(name.value)}"`;
  const uid = xmlAttribute(element, 'uid');
  return uid === undefined
    ? `<${bounded(element.name)}>`
    : `${bounded(element.name)} uid ${bounded(uid.value)}`;
}

/** Describes a change in words. The text may have control characters of the policy: print it by `printable`. */
export function describeChange({ kind, element, setting, from, to }: ValueChange): string {
  if (kind === 'order') return `${element}: other order`;
  if (kind !== 'set') return `${element}: ${setting === undefined ? '' : `${setting} `}${kind}`;
  if (from === undefined) return `${element}: ${setting} set to ${to}`;
  return to === undefined
    ? `${element}: ${setting} ${from} removed`
    : `${element}: ${setting} ${from} → ${to}`;
}
