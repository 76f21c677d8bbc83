/**
 * The type of a catalogue: the messages that English has. A language that lacks one does not compile.
 *
 * A message is plain text, or a function of its numbers and names. It is never read as HTML.
 */
import type { en } from './en.ts';
import type { shared } from './en/shared.ts';

/** The messages of a part, in any language. */
export type Catalogue<Own> = {
  readonly [Key in keyof Own]: Own[Key] extends string
    ? string
    : Own[Key] extends (...values: infer Values) => string
      ? (...values: Values) => string
      : Catalogue<Own[Key]>;
};

export type Words = Catalogue<typeof en>;
/** The messages that several parts of the page use. */
export type SharedWords = Catalogue<typeof shared>;
