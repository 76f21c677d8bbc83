/**
 * LiteSpeed's configuration, whichever form it has. OpenLiteSpeed's is plain text, the Enterprise edition's is XML:
 *
 *     extProcessor lsphp {          <extProcessorList>
 *       maxConns 35                   <extProcessor><name>lsphp</name><maxConns>35</maxConns></extProcessor>
 *     }                             </extProcessorList>
 */
import type { ConfigLine, ReadProblem } from '../directive.ts';

export interface LiteSpeedNode extends ConfigLine {
  /** The name, in lower case: LiteSpeed does not distinguish. */
  readonly name: string;
  /** The text after the name; for a block, what it is called. */
  readonly value: string;
  readonly children: readonly LiteSpeedNode[];
}

export interface LiteSpeedRead {
  readonly root: LiteSpeedNode;
  readonly problems: readonly ReadProblem[];
}

/** The limits for one file and all that it includes. */
export const nodesMax = 500_000;
export const nestedMax = 32;

export const childrenNamed = (node: LiteSpeedNode, name: string): readonly LiteSpeedNode[] =>
  node.children.filter((each) => each.name === name);

/** Returns the last value, which counts; nothing if there is none, or an empty one. */
export function valueOf(node: LiteSpeedNode | undefined, name: string): string | undefined {
  const value = node?.children.findLast((each) => each.name === name)?.value ?? '';
  return value === '' ? undefined : value;
}

/** Returns a number in decimal digits; nothing for other text. */
export function numberOf(node: LiteSpeedNode | undefined, name: string): number | undefined {
  const value = valueOf(node, name);
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

/** Splits a list of names, such as `shop.example, www.shop.example`. */
export const listIn = (text: string): readonly string[] =>
  text.split(/[\s,]+/).filter((each) => each !== '');
