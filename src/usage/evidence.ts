/**
 * The evidence of a fault that a capability reports: items of one kind, such as refused links. The engine keeps and
 * hands on items without knowing their fields; the capability's `EvidenceKind` reads, describes and redacts them.
 */

export interface Evidence {
  /** The name of an `EvidenceKind`. */
  readonly kind: string;
  /** The items; their fields depend on the kind. */
  readonly items: readonly object[];
}

/** The maximum number of items in one snapshot; the rest is only counted. */
export const evidenceItemsMax = 20;

/**
 * Items are flat: each field is a number, or a text. Functions are methods, so that the engine can keep kinds of
 * different items in one list; each gets only items of its own kind.
 */
export interface EvidenceKind<Item extends object = object> {
  readonly kind: string;
  /** The form of each field in a stored item: a number, or a text of at most so many characters. */
  readonly fields: { readonly [Name in keyof Item]: Item[Name] extends number ? 'number' : number };
  /** Describes at least one item in sentences. `showAll`: only for root and the tenant. */
  describe(items: readonly Item[], showAll: boolean): string;
  /** Describes one item, which may be redacted, in a line. */
  line(item: Item): string;
  /** Returns what a reseller, and whoever has the token, may see of an item. */
  redact(item: Item): Item;
}

export const evidenceOf = <Item extends object>(
  { kind }: EvidenceKind<Item>,
  items: readonly Item[],
): Evidence => ({ kind, items });

/** Adds evidence of the same kind, up to the maximum; evidence of another kind is left out. */
export function addEvidence(to: Evidence | undefined, more: Evidence): Evidence {
  const { kind, items } = to ?? { kind: more.kind, items: [] };
  if (kind !== more.kind) return { kind, items };
  return { kind, items: [...items, ...more.items].slice(0, evidenceItemsMax) };
}

/** Reads items from a file, which may contain anything. Malformed items are left out, and long texts are cut. */
export function readItems({ fields }: EvidenceKind, value: unknown): readonly object[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, evidenceItemsMax).flatMap((each: unknown) => readItem(fields, each) ?? []);
}

function readItem(fields: object, value: unknown): object | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = new Map<string, unknown>(Object.entries(value));
  const read = Object.entries(fields).map(
    ([name, form]) => [name, readField(form, found.get(name))] as const,
  );
  return read.some(([, field]) => field === undefined) ? undefined : Object.fromEntries(read);
}

function readField(form: unknown, value: unknown): number | string | undefined {
  if (form === 'number') return Number.isFinite(value) ? Number(value) : undefined;
  return typeof value === 'string' ? value.slice(0, Number(form)) : undefined;
}
