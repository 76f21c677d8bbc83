/** `<panel>` → PanelElement, with every mistake reported. */
import type { Diagnostics } from '../diagnostic.ts';
import { AttributeReader } from '../parse-agent.ts';
import { valueKinds } from '../value-kinds.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import { followedSources, type PanelElement, type PlanElement } from './panel-element.ts';

export function readPanel(element: XmlElement, diagnostics: Diagnostics): PanelElement | undefined {
  const { start, end } = element;
  const source = new AttributeReader(element, diagnostics).choice('source', followedSources);
  const plans = childrenOf(element, 'plan').flatMap((each) => readPlan(each, diagnostics));
  return source && { start, end, source, plans };
}

function readPlan(element: XmlElement, diagnostics: Diagnostics): readonly PlanElement[] {
  const read = new AttributeReader(element, diagnostics);
  const name = read.text('name');
  const owner = read.parsed('owner', valueKinds.user.parse);
  const value = read.parsed('package', valueKinds.name.parse);
  const written = xmlAttribute(element, 'package');
  if (name === undefined || value === undefined || written === undefined) return [];
  const { start, end } = element;
  return [{ start, end, name, owner, package: { ...written, value } }];
}
