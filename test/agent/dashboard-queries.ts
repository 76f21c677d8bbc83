/** The Grafana dashboards of examples/, and their queries as Prometheus gets them. */
import { readFileSync } from 'node:fs';

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
  readonly targets?: readonly { readonly expr: string }[];
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
}

export interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
}

const read = (name: string) =>
  JSON.parse(
    readFileSync(new URL(`../../examples/grafana/${name}.json`, import.meta.url), 'utf8'),
  ) as Dashboard;

export const dashboard = read('bulkhead');
/** Dashboards that read what hosts push. */
export const historyDashboards: readonly Dashboard[] = ['fleet', 'host', 'tenant', 'rollout'].map(
  (each) => read(`bulkhead-${each}`),
);

/** Returns the queries of all panels, with Grafana's variables in them. */
export const expressionsOf = ({ panels }: Dashboard): readonly string[] =>
  panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** Puts values for Grafana's variables into a query. */
export const filledIn = (expression: string, tenant: string, interval: string): string =>
  expression
    .replaceAll('$__rate_interval', interval)
    .replaceAll('$instance', '.*')
    .replaceAll('$tenant', tenant);

/** Returns the families that queries or rules name. */
export const familiesIn = (text: string): ReadonlySet<string> =>
  new Set(text.match(/\bbulkhead_[a-z_]+/g));
