/**
 * The mark of a host: up to which event the centre has all. Nobody signs it, since it makes a host delete nothing: with a
 * wrong one it only sends events again, or later.
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { formatOne, name, whole, type Shape } from '../fields.ts';
import { parseShape } from '../parse.ts';

/** Events that may be on their way: a host sends none further ahead of its mark, and a centre takes none. */
export const aheadMax = 5_000;

export interface Mark {
  readonly format: 1;
  readonly epoch: string;
  readonly stored: number;
}

const shape: Shape<Mark> = { format: formatOne, epoch: name, stored: whole(0) };

export const parseMark = (text: string): Result<Mark, Cause> =>
  parseShape('mark', text, { charsMax: 1024, shape });
