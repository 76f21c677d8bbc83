/** `<panel>` → PanelElement, with every mistake reported. */
import { formatCause, type Cause } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Diagnostics, Located } from '../diagnostic.ts';
import { valueKinds } from '../value-kinds.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import { followedSources, type PanelElement, type PlanElement } from './panel-element.ts';

export function readPanel(element: XmlElement, diagnostics: Diagnostics): PanelElement | undefined {
  const { start, end } = element;
  const written = xmlAttribute(element, 'source');
  const source = followedSources.find((each) => each === written?.value);
  const plans = childrenOf(element, 'plan').flatMap((each) => readPlan(each, diagnostics));
  if (source !== undefined) return { start, end, source, plans };
  if (written !== undefined) {
    const hint = diagnostics.hint(written.value, followedSources);
    diagnostics.error(
      written,
      `"${written.value}" is not one of ${followedSources.join(', ')}${hint}`,
    );
  }
  return undefined;
}

function readPlan(element: XmlElement, diagnostics: Diagnostics): readonly PlanElement[] {
  const read = <T>(attribute: string, parse: (text: string) => Result<T, Cause>) => {
    const written = xmlAttribute(element, attribute);
    if (written === undefined) return undefined;
    const parsed = parse(written.value);
    if (parsed.ok) return { ...written, value: parsed.value } satisfies Located<T>;
    diagnostics.error(written, formatCause(parsed.error));
    return undefined;
  };
  const name = xmlAttribute(element, 'name')?.value;
  const owner = read('owner', valueKinds.user.parse);
  const target = read('package', valueKinds.name.parse);
  if (name === undefined || target === undefined) return [];
  const { start, end } = element;
  return [{ start, end, name, owner: owner?.value, package: target }];
}
