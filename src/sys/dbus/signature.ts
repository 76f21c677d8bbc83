/**
 * The types of D-Bus values: `a(sv)` is an array of structs of a string and a variant.
 *
 * File descriptors (`h`) are left out: none is ever sent or accepted.
 * Source: D-Bus Specification, "Type System".
 */

export type BasicCode = 'y' | 'b' | 'n' | 'q' | 'i' | 'u' | 'x' | 't' | 'd' | 's' | 'o' | 'g';

export type Type =
  | { readonly kind: 'basic'; readonly code: BasicCode; readonly align: number }
  | { readonly kind: 'variant'; readonly align: number }
  | { readonly kind: 'array'; readonly of: Type; readonly align: number }
  /** A dictionary entry is a struct of two fields, and only occurs in an array. */
  | { readonly kind: 'struct'; readonly fields: readonly Type[]; readonly align: number };

const alignments: Readonly<Record<BasicCode, number>> = {
  y: 1,
  b: 4,
  n: 2,
  q: 2,
  i: 4,
  u: 4,
  x: 8,
  t: 8,
  d: 8,
  s: 4,
  o: 4,
  g: 1,
};
const lengthMax = 255;
const depthMax = 32;

/** Returns the types of a signature in order; undefined if it is not a signature. */
export function parseSignature(text: string): readonly Type[] | undefined {
  if (text.length > lengthMax) return undefined;
  const types: Type[] = [];
  for (let at = 0; at < text.length;) {
    const parsed = typeAt(text, at, 0, 0);
    if (parsed === undefined) return undefined;
    types.push(parsed.type);
    at = parsed.end;
  }
  return types;
}

interface Parsed {
  readonly type: Type;
  readonly end: number;
}

function typeAt(text: string, at: number, arrays: number, structs: number): Parsed | undefined {
  if (arrays > depthMax || structs > depthMax) return undefined;
  const code = text[at] ?? '';
  if (code === 'v') return { type: { kind: 'variant', align: 1 }, end: at + 1 };
  if (code === '(') return fieldsAt(text, at + 1, ')', arrays, structs + 1);
  if (code === 'a') {
    const parsed =
      text[at + 1] === '{'
        ? entryAt(text, at + 2, arrays + 1, structs + 1)
        : typeAt(text, at + 1, arrays + 1, structs);
    return parsed && { ...parsed, type: { kind: 'array', of: parsed.type, align: 4 } };
  }
  const align = Object.hasOwn(alignments, code) ? alignments[code as BasicCode] : undefined;
  if (align === undefined) return undefined;
  return { type: { kind: 'basic', code: code as BasicCode, align }, end: at + 1 };
}

function fieldsAt(
  text: string,
  from: number,
  close: string,
  arrays: number,
  structs: number,
): Parsed | undefined {
  const fields: Type[] = [];
  let at = from;
  while (text[at] !== close) {
    const parsed = typeAt(text, at, arrays, structs);
    if (parsed === undefined) return undefined;
    fields.push(parsed.type);
    at = parsed.end;
  }
  return fields.length === 0
    ? undefined
    : { type: { kind: 'struct', fields, align: 8 }, end: at + 1 };
}

function entryAt(text: string, at: number, arrays: number, structs: number): Parsed | undefined {
  const parsed = fieldsAt(text, at, '}', arrays, structs);
  if (parsed?.type.kind !== 'struct') return undefined;
  const { fields } = parsed.type;
  return fields.length === 2 && fields[0]?.kind === 'basic' ? parsed : undefined;
}
