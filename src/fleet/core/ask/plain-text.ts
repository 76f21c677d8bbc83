/** Names from other machines: what a terminal would obey is refused. */
import { printable } from '../../../../packages/base/printable.ts';
import { matching, type Field } from '../fields.ts';

export const plainText = (charsMax: number): Field<string> =>
  matching(
    `a text of at most ${charsMax} characters without control characters`,
    (value) => value.length <= charsMax && printable(value) === value,
  );
