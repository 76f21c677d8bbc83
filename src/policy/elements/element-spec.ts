/** The description of one element of a policy. */
import type { ValueKindName } from '../value-kinds.ts';

/** A kind of `value-kinds.ts`, or the words that are allowed. */
type ValueKind = ValueKindName | readonly string[];

export interface ElementAttribute {
  readonly kind: ValueKind;
  readonly required: boolean;
  readonly summary: string;
}

export interface ElementSpec {
  readonly summary: string;
  readonly attributes: Readonly<Record<string, ElementAttribute>>;
  /** Child elements other than limits. */
  readonly children: readonly string[];
  readonly holdsLimits: boolean;
  /** Limits that it cannot have all the same, and why. */
  readonly withoutLimits?: Readonly<Record<string, string>>;
  /** Limits among them that former versions allowed there, without enforcing them: a warning, and no error. */
  readonly formerLimits?: readonly string[];
  /** Whether the element may occur more than once in its parent. */
  readonly repeats: boolean;
  readonly example: string;
}

export const required = (kind: ValueKind, summary: string): ElementAttribute => ({
  kind,
  required: true,
  summary,
});
export const optional = (kind: ValueKind, summary: string): ElementAttribute => ({
  kind,
  required: false,
  summary,
});
