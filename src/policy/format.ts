/** Prints a PolicyDocument as policy text, for policies that were not written as one. */
import type { LimitKey } from '../limits/limit.ts';
import { limitAttribute, attributes } from '../limits/limits.ts';
import { formatQuantity } from '../../packages/base/quantity.ts';
import type { Located } from './diagnostic.ts';
import type {
  LimitBlock,
  PackageElement,
  PolicyDocument,
  TenantElement,
  TenantName,
} from './document.ts';
import { escapeAttribute } from './xml-edit.ts';

interface PrintOptions {
  /** Lines of a comment at the top of the file. */
  readonly header: readonly string[];
  /** Comments after values, by the position from which they were read. */
  readonly remarks: ReadonlyMap<number, string>;
  /** Lines of a comment at the end of the policy. */
  readonly footer: readonly string[];
}

/** The parts of an element that are printed. */
export type WrittenPackage = Pick<PackageElement, 'name' | 'values'>;
export type WrittenTenant = Pick<TenantElement, 'name' | 'package' | 'values'>;

export function formatPolicy(document: PolicyDocument, options: PrintOptions): string {
  const parts = [
    document.tenantRanges.map(
      ({ uids }) => `  <tenants uids="${uids.map(({ value }) => rangeText(value)).join(' ')}"/>`,
    ),
    document.defaults === undefined ? [] : block('defaults', '', document.defaults, options),
    ...document.packages.map((each) => packageBlock(each, options)),
    ...tenantParts(document, options),
    comment(options.footer, '  '),
  ];
  const body = parts.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    ...comment(options.header, ''),
    '<bulkhead version="1">',
    body.join('\n\n'),
    '</bulkhead>',
    '',
  ].join('\n');
}

/** Returns the tenants. Consecutive one-line tenants have no empty lines between them. */
function tenantParts(document: PolicyDocument, options: PrintOptions): readonly string[][] {
  const printed = document.tenants.map((each) => tenantBlock(each, options));
  return printed.reduce<string[][]>((parts, lines) => {
    const last = parts.at(-1);
    if (last !== undefined && lines.length === 1 && last.at(-1)?.endsWith('/>') === true)
      last.push(...lines);
    else parts.push([...lines]);
    return parts;
  }, []);
}

type Remarks = Pick<PrintOptions, 'remarks'>;
const noRemarks: Remarks = { remarks: new Map() };

const packageBlock = (element: WrittenPackage, remarks: Remarks) =>
  block('package', attribute('name', element.name.value), element, remarks);

const tenantBlock = (element: WrittenTenant, remarks: Remarks) =>
  block('tenant', tenantHead(element), element, remarks);

/** Returns the lines of one package, indented as in a policy. */
export const packageLines = (element: WrittenPackage) => packageBlock(element, noRemarks);

/** Returns the lines of one tenant, indented as in a policy. */
export const tenantLines = (element: WrittenTenant) => tenantBlock(element, noRemarks);

const tenantHead = ({ name, package: pack }: WrittenTenant) =>
  who(name.value) + (pack === undefined ? '' : attribute('package', pack.value));

const who = (name: TenantName) =>
  name.kind === 'user' ? attribute('user', name.user) : attribute('uid', String(name.uid));

const attribute = (name: string, value: string) => ` ${name}="${escapeAttribute(value)}"`;

const rangeText = ({ first, last }: { first: number; last: number }) =>
  first === last ? String(first) : `${first}-${last}`;

function block(
  name: string,
  head: string,
  { values }: LimitBlock,
  { remarks }: Remarks,
): readonly string[] {
  if (values.size === 0) return [`  <${name}${head}/>`];
  const keys = [...attributes.keys()].filter((key) => values.has(key));
  const limits = new Set(keys.map((key) => limitAttribute(key).limit.name));
  const lines = [...limits].map((limit) => {
    const own = keys.filter((key) => limitAttribute(key).limit.name === limit);
    const said = own.flatMap((key) => remarks.get(values.get(key)?.start ?? -1) ?? []);
    const remark =
      said.length === 0 ? '' : `  <!-- ${inComment([...new Set(said)].join('; '))} -->`;
    return `    <${limit}${own.map((key) => valueText(key, values.get(key))).join('')}/>${remark}`;
  });
  return [`  <${name}${head}>`, ...lines, `  </${name}>`];
}

function valueText(key: LimitKey, value: Located<unknown> | undefined): string {
  const { kind, name } = limitAttribute(key);
  return attribute(name, formatQuantity(kind, value?.value as never));
}

function comment(lines: readonly string[], indent: string): readonly string[] {
  if (lines.length === 0) return [];
  const inside = lines.map((line) => `${indent}  ${inComment(line)}`.trimEnd());
  return [`${indent}<!--`, ...inside, `${indent}-->`];
}

/** Returns text that is safe in a comment, which two hyphens would end. */
const inComment = (text: string) =>
  // oxlint-disable-next-line no-control-regex -- XML allows no control characters
  text.replace(/-(?=-|$)/g, '- ').replace(/[\u0000-\u0008\u000b-\u001f]/g, ' ');
