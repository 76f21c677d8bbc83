/** The file to which Apache's master writes its process id. Source: core.html, mpm_common.html of Apache's manual. */
import type { Directive } from '../directive.ts';

/**
 * Returns the paths that it may have, the likeliest first; none if no directive names it. The last `PidFile` counts.
 * Releases differ in what a relative one is relative to.
 */
export function pidFilesOf(directives: readonly Directive[], directory: string): readonly string[] {
  const last = (name: string) => directives.findLast((each) => each.name === name)?.args[0];
  const below = (parent: string, path: string) =>
    path.startsWith('/') ? path : `${parent}/${path}`;
  const path = last('pidfile');
  if (path === undefined) return [];
  const root = last('serverroot') ?? directory;
  const runtime = last('defaultruntimedir');
  const parents = [...(runtime === undefined ? [] : [below(root, runtime)]), root, directory];
  return [...new Set(parents.map((each) => below(each, path)))];
}
