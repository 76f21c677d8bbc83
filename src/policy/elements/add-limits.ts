/** Adds the limits of another policy to a policy's text: its packages and tenants. Comments, order and layout stay. */
import type { ProblemOrCause } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Assignment } from '../assignment.ts';
import { editChecked, rootOf } from '../edit.ts';
import { namedTenants } from './edit-elements.ts';
import { packageLines, tenantLines, type WrittenPackage, type WrittenTenant } from '../format.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import { escapeAttribute, insertChild, textLayoutOf } from '../xml-edit.ts';
import type { PanelPlan, PanelSourceName } from '../panel/panel-record.ts';

/** A tenant, by whichever name; a policy that names it by its uid has it, too. */
export interface AddedTenant extends WrittenTenant {
  readonly uid: number;
}

/** A panel for the policy to follow. A policy that follows one already keeps its own element. */
export interface AddedPanel {
  readonly source: PanelSourceName;
  readonly plans: readonly AddedPlan[];
  /** Whether the policy follows a panel already. */
  readonly isThere?: true;
}

export interface AddedPlan extends PanelPlan {
  readonly package: string;
}

export interface AddedLimits {
  readonly packages: readonly WrittenPackage[];
  readonly tenants: readonly AddedTenant[];
  readonly panel?: AddedPanel;
}

/** Limits that another program has on this host, for the policy. */
export interface ImportedLimits extends AddedLimits {
  /** The file or the panel that has them. */
  readonly from: string;
  readonly defaults: readonly Assignment[];
  /** Notes on everything that is not taken over, and why. */
  readonly remarks: readonly string[];
}

/** Adds those that the policy does not name yet, in one edit, since there may be thousands. */
export function addLimits(
  text: string,
  wanted: AddedLimits,
): Result<string, readonly ProblemOrCause[]> {
  return editChecked(text, (now) => {
    const root = rootOf(now);
    const layout = textLayoutOf(now, root);
    const { packages, tenants } = missingFrom(root, wanted);
    const elements = [
      ...panelLines(root, wanted.panel),
      ...packages.map(packageLines),
      ...tenants.map(tenantLines),
    ];
    if (elements.length === 0) return ok(now);
    const lines = elements.flat().join(layout.lineEnd).trimStart();
    const place = { parent: root, after: root.children.at(-1), blankLine: true };
    return ok(insertChild(now, layout, place, lines));
  });
}

/** Whether the policy follows a panel. */
export const followsPanel = (root: XmlElement): boolean => childrenOf(root, 'panel').length > 0;

const panelLines = (root: XmlElement, panel: AddedPanel | undefined): readonly string[][] =>
  panel === undefined || followsPanel(root)
    ? []
    : [
        [
          `  <panel source="${panel.source}">`,
          ...panel.plans.map((each) => `    <plan${planAttributes(each)}/>`),
          '  </panel>',
        ],
      ];

const planAttributes = ({ name, owner, package: target }: AddedPlan): string =>
  Object.entries({ name, owner, package: target })
    .map(([key, value]) => (value === undefined ? '' : ` ${key}="${escapeAttribute(value)}"`))
    .join('');

function missingFrom(root: XmlElement, { packages, tenants }: AddedLimits): AddedLimits {
  const named = new Set(
    childrenOf(root, 'package').map((each) => xmlAttribute(each, 'name')?.value),
  );
  const there = namedTenants(root);
  return {
    packages: packages.filter(({ name }) => !named.has(name.value)),
    tenants: tenants.filter(
      ({ uid, name: { value } }) =>
        !there.has(uid) && (value.kind === 'uid' || !there.has(value.user)),
    ),
  };
}
