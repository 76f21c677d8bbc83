/** A page of the console. Each has a file in `pages/`, and a line in `pages.ts`. */
import type { ComponentType } from 'preact';
import type { Role } from './state/live.ts';
import type { Words } from './words/words.ts';
import type { IconName } from './parts/icon.tsx';

/** The segments of the address that have a name in the path of the page. */
export type Parameters = Readonly<Record<string, string>>;

export interface PageProps {
  readonly parameters: Parameters;
}

export interface Page {
  /** The path; a segment with a colon matches any: `/tenants/:name`. */
  readonly path: string;
  readonly roles: readonly Role[];
  readonly title: (words: Words, parameters: Parameters) => string;
  /** The sign in the navigation; a page without one is not in it. */
  readonly icon?: IconName;
  /** Whether it is in the navigation; absent: always. */
  readonly isListed?: () => boolean;
  /** Stands beside the title in the navigation. */
  readonly beside?: ComponentType;
  readonly view: ComponentType<PageProps>;
}

export interface MatchedPage {
  readonly page: Page;
  readonly parameters: Parameters;
}

/** Returns the first page that a role may see and whose path matches. */
export function matchPage(
  pages: readonly Page[],
  role: Role,
  path: readonly string[],
): MatchedPage | undefined {
  for (const page of pages) {
    if (!page.roles.includes(role)) continue;
    const parameters = parametersOf(page.path, path);
    if (parameters !== undefined) return { page, parameters };
  }
  return undefined;
}

function parametersOf(pattern: string, path: readonly string[]): Parameters | undefined {
  const segments = segmentsOf(pattern);
  if (segments.length !== path.length) return undefined;
  const isMatch = segments.every((each, at) => each.startsWith(':') || each === path[at]);
  if (!isMatch) return undefined;
  const named = segments.flatMap((each, at) =>
    each.startsWith(':') ? [[each.slice(1), path[at] ?? ''] as const] : [],
  );
  return Object.fromEntries(named);
}

/** Returns the segments of a path. */
export const segmentsOf = (path: string): readonly string[] =>
  path.split('/').filter((each) => each !== '');
