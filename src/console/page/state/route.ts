/**
 * The address: `#/tenants/alice?period=24h`. What somebody would send to a colleague is in it: the page, the filters, the
 * order. A change of a filter replaces the address; a link adds one to the browser's history.
 */
import { signal } from '@preact/signals';

export interface Route {
  /** The decoded segments: `['tenants', 'alice']`. */
  readonly path: readonly string[];
  readonly query: ReadonlyMap<string, string>;
}

type Query = Readonly<Record<string, string | undefined>>;

/** Returns the route of a fragment, whatever is in it. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s);
  const segments = path.split('/').filter((each) => each !== '');
  return { path: segments.map(decoded), query: new Map(new URLSearchParams(query)) };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Returns the address of a page: `href(['tenants', 'alice'], { period: '24h' })`. */
export function href(path: readonly string[], query: Query = {}): string {
  const given = Object.entries(query).filter(
    (each): each is [string, string] => each[1] !== undefined && each[1] !== '',
  );
  const search = new URLSearchParams(given).toString();
  return `#/${path.map(encodeURIComponent).join('/')}${search === '' ? '' : `?${search}`}`;
}

export const route = signal<Route>({ path: [], query: new Map() });

/** Whether a control panel shows the page in its own: without bar and navigation, from the first address on. */
export const isEmbedded = signal(false);

/** Follows the address, now and whenever it changes. */
export function followRoute(): void {
  const read = () => {
    route.value = parseRoute(location.hash);
    if (queryOf('embed') === '1') isEmbedded.value = true;
  };
  addEventListener('hashchange', read);
  read();
}

export const queryOf = (key: string): string => route.value.query.get(key) ?? '';

/** Changes parts of the query, and keeps the others. */
export function setQuery(changes: Query): void {
  const { path, query } = route.peek();
  replaceRoute(href(path, { ...Object.fromEntries(query), ...changes }));
}

export function replaceRoute(hash: string): void {
  history.replaceState(history.state, '', hash);
  route.value = parseRoute(hash);
}
