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

/** Whether a tenant may not reach everything. */
export function hasRefusals(chain: Chain): boolean {
  const reach = reachOriginOf(chain)?.at;
  if (reach === undefined || reach.mode.value === 'watch') return false;
  const { mail, tenants, metadata, others, rules } = reach;
  return (
    mail.value !== 'anywhere' ||
    !tenants.value ||
    !metadata.value ||
    others.value === 'refuse' ||
    rules.some(({ action }) => action === 'refuse')
  );
}

/** Whether other hosts may not connect to what a tenant opens. */
export function isPrivate(chain: Chain): boolean {
  const listen = listenOriginOf(chain)?.at;
  return listen !== undefined && !listen.public.value && listen.mode.value === 'refuse';
}
