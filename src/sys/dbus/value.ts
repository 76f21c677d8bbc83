/**
 * D-Bus values in JavaScript: `y n q i u d` are numbers, `x t` bigints, `s o g` strings, `ay` bytes, other arrays and
 * structs arrays, and dictionaries arrays of pairs.
 */
export type Value = boolean | number | bigint | string | Uint8Array | Variant | readonly Value[];

/** A value with its own type. */
export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

export const variant = (signature: string, value: Value): Variant => ({ signature, value });

/** The nesting depth of variants. The specification allows more, but no service that we call sends more. */
export const variantDepthMax = 16;

/** The reason why bytes are not a value, or a value has no bytes. The code that handles a whole message catches it. */
export class NotAValue extends Error {}
