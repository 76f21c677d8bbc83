/** The limits that are written in an element. Each mistake is reported, and its value left out. */
import { formatCause } from '../../../packages/base/problem.ts';
import type { Quantity } from '../../../packages/base/quantity.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { Diagnostics, Located } from '../diagnostic.ts';
import type { LimitBlock } from '../document.ts';
import { parseLimit, raisedMin } from '../parse-limit.ts';
import { limitsIn, specOf } from '../vocabulary.ts';
import type { XmlElement } from '../xml.ts';
import { span } from './located-values.ts';

export function readLimits(element: XmlElement, diagnostics: Diagnostics): LimitBlock {
  const values = new Map<LimitKey, Located<Quantity>>();
  const known = limitsIn(specOf(element.name));
  for (const child of element.children) {
    if (!known.includes(child.name)) continue;
    for (const attribute of child.attributes) {
      const key: LimitKey = `${child.name}.${attribute.name}`;
      const value = quantity(key, attribute.value, diagnostics);
      if (value !== undefined) values.set(key, { ...span(attribute.value), value });
    }
  }
  return { values };
}

function quantity(
  key: LimitKey,
  text: Located<string>,
  diagnostics: Diagnostics,
): Quantity | undefined {
  const parsed = parseLimit(key, text.value);
  if (parsed === undefined) return undefined;
  if (parsed.ok) return parsed.value;
  const raised = raisedMin(key, text.value);
  const message = formatCause(parsed.error);
  if (raised === undefined) diagnostics.error(text, message);
  else diagnostics.warn(text, `${message}, which is in force`);
  return raised;
}
