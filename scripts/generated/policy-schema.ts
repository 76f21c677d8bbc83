/**
 * The policy language as an XML Schema, for completion and validation in editors.
 *
 * XML Schema 1.0 is weaker than the parser: it cannot express children in any order of which some may
 * occur only once and others repeat. The parser has the last word.
 */
import { limits } from '../../src/limits/limits.ts';
import type { Attribute, Limit } from '../../src/limits/limit.ts';
import { quantityKinds, unlimited } from '../../packages/base/quantity.ts';
import { escapeAttribute } from '../../src/policy/xml-edit.ts';
import { valueKinds } from '../../src/policy/value-kinds.ts';
import {
  elements,
  limitsIn,
  type ElementAttribute,
  type ElementSpec,
} from '../../src/policy/vocabulary.ts';

export function policySchema(): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!-- Generated from the vocabulary and the table of limits; change those and run "npm run generate". -->',
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">',
    ...indented(rootElement()),
    ...Object.entries(elements).flatMap(([name, spec]) => indented(elementType(name, spec))),
    ...limits.flatMap((limit) => indented(limitType(limit))),
    ...valueTypes().flatMap(indented),
    '</xs:schema>',
    '',
  ].join('\n');
}

type Lines = readonly string[];

const indented = (lines: Lines): Lines => lines.map((line) => `  ${line}`);

/** Returns an element with children, or an empty one. */
function tag(
  name: string,
  attributes: Readonly<Record<string, string>>,
  inside: Lines = [],
): Lines {
  const head = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${escapeAttribute(value)}"`,
  );
  const start = `<xs:${name}${head.join('')}`;
  if (inside.length === 0) return [`${start}/>`];
  return [`${start}>`, ...indented(inside), `</xs:${name}>`];
}

function documentation(text: string): Lines {
  const escaped = text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return tag('annotation', {}, [`<xs:documentation>${escaped}</xs:documentation>`]);
}

function rootElement(): Lines {
  const { summary } = elements['bulkhead'] as ElementSpec;
  return tag('element', { name: 'bulkhead', type: 'bulkhead' }, [
    ...documentation(summary),
    // A tenant has one of the two, and it is unique: a field of a key must occur exactly once.
    ...identity('key', 'tenant', './/tenant', '@user | @uid'),
    ...identity('key', 'reseller', 'reseller', '@user | @uid'),
    ...identity('key', 'package', 'package', '@name'),
    ...tag('keyref', { name: 'packageInUse', refer: 'package' }, [
      ...tag('selector', { xpath: 'tenants | reseller | .//tenant' }),
      ...tag('field', { xpath: '@package' }),
    ]),
  ]);
}

const identity = (kind: string, name: string, selector: string, field: string): Lines =>
  tag(kind, { name }, [...tag('selector', { xpath: selector }), ...tag('field', { xpath: field })]);

function elementType(name: string, spec: ElementSpec): Lines {
  return tag('complexType', { name }, [
    ...documentation(spec.summary),
    ...contentOf(spec),
    ...Object.entries(spec.attributes).flatMap(([key, attribute]) =>
      attributeLines(key, attribute),
    ),
  ]);
}

function contentOf(spec: ElementSpec): Lines {
  const inside = [...limitsIn(spec), ...spec.children];
  if (inside.length === 0) return [];
  const repeats = spec.children.some((child) => elements[child]?.repeats);
  if (!repeats)
    return tag(
      'all',
      {},
      inside.flatMap((child) => childElement(child, '0')),
    );
  const choice = inside.flatMap((child) => childElement(child));
  return tag('choice', { minOccurs: '0', maxOccurs: 'unbounded' }, choice);
}

function childElement(name: string, minOccurs?: string): Lines {
  const limit = limits.find((each) => each.name === name);
  const type = limit === undefined ? name : `${name}-limit`;
  return tag(
    'element',
    { name, type, ...(minOccurs === undefined ? {} : { minOccurs }) },
    documentation(limit?.summary ?? elements[name]?.summary ?? ''),
  );
}

function attributeLines(name: string, { kind, required, summary }: ElementAttribute): Lines {
  const use: Readonly<Record<string, string>> = required ? { use: 'required' } : {};
  if (typeof kind === 'string') {
    return tag('attribute', { name, type: `${kind}-text`, ...use }, documentation(summary));
  }
  return tag('attribute', { name, ...use }, [...documentation(summary), ...choiceType(kind)]);
}

function choiceType(values: readonly string[]): Lines {
  const choices = values.flatMap((value) => tag('enumeration', { value }));
  return tag('simpleType', {}, tag('restriction', { base: 'xs:string' }, choices));
}

function limitType({ name, summary, attributes, words = {} }: Limit): Lines {
  const inside = Object.entries(attributes).flatMap(([key, attribute]) =>
    tag(
      'attribute',
      { name: key, type: quantityType(attribute) },
      documentation(attribute.summary),
    ),
  );
  return tag('complexType', { name: `${name}-limit` }, [
    ...documentation(summary),
    ...inside,
    ...Object.entries(words).flatMap(([key, each]) =>
      attributeLines(key, { kind: each.words, required: false, summary: each.summary }),
    ),
  ]);
}

const quantityType = (attribute: Attribute) =>
  attribute.unlimited ? `${attribute.kind}-or-${unlimited}` : attribute.kind;

function valueTypes(): readonly Lines[] {
  const quantities = Object.entries(quantityKinds).flatMap(([name, { pattern, form }]) => [
    patternType(name, pattern, form),
    patternType(`${name}-or-${unlimited}`, `${unlimited}|${pattern}`, `${form}, or ${unlimited}`),
  ]);
  const texts = Object.entries(valueKinds).map(([name, { pattern }]) =>
    patternType(`${name}-text`, pattern),
  );
  return [...quantities, ...texts];
}

function patternType(name: string, pattern: string, form?: string): Lines {
  // `\d` of XML Schema matches the digits of every script.
  const value = pattern.replaceAll(String.raw`\d`, '[0-9]');
  const restriction = tag('restriction', { base: 'xs:string' }, tag('pattern', { value }));
  return tag('simpleType', { name }, [
    ...(form === undefined
      ? []
      : documentation(`${form.charAt(0).toUpperCase()}${form.slice(1)}.`)),
    ...restriction,
  ]);
}
