/** The place in the policy that decides, for messages that name its line. */
import type { Span } from '../../policy/diagnostic.ts';
import type { ListenElement, ReachElement } from '../../policy/network/reach.ts';
import type { Decider } from './decide.ts';

/** Returns the place. `listen`: the element of whoever keeps the port, or of whoever opened it. */
export function placeOf(
  by: Decider,
  { reach, listen }: { readonly reach?: ReachElement; readonly listen?: ListenElement },
): Span | undefined {
  if (typeof by === 'object') return reach?.rules[by.rule];
  switch (by) {
    case 'ports':
      return listen?.ports[0] ?? listen;
    case 'public':
      return listen?.public;
    case 'protocol':
      return reach;
    case 'mail':
    case 'tenants':
    case 'metadata':
    case 'others':
      return reach?.[by];
  }
}
