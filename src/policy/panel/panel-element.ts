/** `<panel source="hestia"><plan name="Gold" package="business"/></panel>` */
import type { Located, Span } from '../diagnostic.ts';
import { panelSources, type PanelSourceName } from './panel-record.ts';

/** The panel to follow; `auto`: whichever this host has. */
export type FollowedSource = 'auto' | PanelSourceName;
export const followedSources: readonly FollowedSource[] = ['auto', ...panelSources];

/** A plan of the panel, and the package of the policy for its accounts. */
export interface PlanElement extends Span {
  readonly name: string;
  /** The reseller that owns the plan; absent if the panel does. */
  readonly owner: string | undefined;
  readonly package: Located<string>;
}

export interface PanelElement extends Span {
  readonly source: FollowedSource;
  readonly plans: readonly PlanElement[];
}
