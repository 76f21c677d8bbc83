/** The network of scratch tenants to which the policy gives no rules. */
import { nothingDemanded } from '../../src/prove/core/demands.ts';
import { otherHost } from '../../src/prove/core/other-host.ts';
import type { ScratchNetwork } from '../../src/prove/core/scratch-network.ts';

export const noNetwork: ScratchNetwork = {
  has: nothingDemanded,
  other: otherHost(1),
  keptPort: 9,
};
