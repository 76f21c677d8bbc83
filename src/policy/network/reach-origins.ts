/** The elements that decide which hosts a tenant reaches, and which ports it may open. */
import type { Chain, Link } from '../policy.ts';
import type { ListenElement, ReachElement } from './reach.ts';

export function reachOriginOf(chain: Chain): { link: Link; at: ReachElement } | undefined {
  for (const link of chain) {
    if (link.reach !== undefined) return { link, at: link.reach };
  }
  return undefined;
}

export function listenOriginOf(chain: Chain): { link: Link; at: ListenElement } | undefined {
  for (const link of chain) {
    if (link.listen !== undefined) return { link, at: link.listen };
  }
  return undefined;
}
