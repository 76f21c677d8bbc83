/**
 * Values of D-Bus as JavaScript has them: `y n q i u d` are numbers, `x t` bigints, `s o g` strings, `ay` bytes,
 * other arrays and structs arrays, and dictionaries arrays of pairs.
 */
export type Value = boolean | number | bigint | string | Uint8Array | Variant | readonly Value[];

/** A value that brings its type along. */
export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

export const variant = (signature: string, value: Value): Variant => ({ signature, value });

/** Variants hold variants. The specification allows more; nobody who is asked sends it. */
export const variantDepthMax = 16;

/** Why bytes are not a value, or a value has no bytes; caught where a message begins. */
export class NotAValue extends Error {}
