/** The values of attributes with their places. Each mistake is reported, and its value left out. */
import { formatCause } from '../../../packages/base/problem.ts';
import type { Diagnostics, Located, Span } from '../diagnostic.ts';
import { valueKinds, type ValueKindName, type ValueOf } from '../value-kinds.ts';
import { specOf } from '../vocabulary.ts';
import { xmlAttribute, type XmlElement } from '../xml.ts';

export class LocatedValues {
  readonly #diagnostics: Diagnostics;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  /** Returns the value of an attribute; undefined if it is missing, or not of that kind, which is reported. */
  value<Name extends ValueKindName>(
    element: XmlElement,
    attribute: string,
    kind: Name,
  ): Located<ValueOf<Name>> | undefined {
    const written = xmlAttribute(element, attribute);
    if (written === undefined) return undefined;
    const parsed = valueKinds[kind].parse(written.value);
    if (parsed.ok) return { ...span(written), value: parsed.value as ValueOf<Name> };
    this.#diagnostics.error(written, formatCause(parsed.error));
    return undefined;
  }

  /** Returns the word of an attribute that has a list of them in the vocabulary, at `spec`. */
  choice<T extends string>(
    element: XmlElement,
    attribute: string,
    spec: string,
  ): Located<T> | undefined {
    const value = xmlAttribute(element, attribute);
    const kind = specOf(spec).attributes[attribute]?.kind;
    if (value === undefined || !Array.isArray(kind)) return undefined;
    const known = kind as readonly string[];
    if (known.includes(value.value)) return value as Located<T>;
    const hint = this.#diagnostics.hint(value.value, known);
    this.#diagnostics.error(value, `"${value.value}" is not one of ${known.join(', ')}${hint}`);
    return undefined;
  }
}

export const span = ({ start, end }: Span): Span => ({ start, end });

/** Returns the names; undefined if the attribute is missing; "none" means nobody. */
export function namesIn(list: Located<string> | undefined): readonly string[] | undefined {
  const names = words(list).map(({ value }) => value);
  if (list === undefined) return undefined;
  return names.length === 1 && names[0] === 'none' ? [] : names;
}

/** Returns the words of a list separated by spaces or commas, each with its position. */
export function words(list: Located<string> | undefined): readonly Located<string>[] {
  if (list === undefined) return [];
  return [...list.value.matchAll(/[^\s,]+/g)].map((match) => {
    const start = list.start + match.index;
    return { value: match[0], start, end: start + match[0].length };
  });
}
