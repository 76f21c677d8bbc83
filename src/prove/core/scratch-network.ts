/** The network rules of the scratch tenants: of each kind that the policy has for anybody, one that the attacks can meet. */
import type { AttackDemand } from './attack.ts';
import type { OtherHost } from './other-host.ts';

export interface ScratchNetwork {
  /** The rules that some tenant of the policy has. */
  readonly has: ReadonlySet<AttackDemand>;
  readonly other: OtherHost;
  /** A port that is free, and is kept for the neighbour. */
  readonly keptPort: number;
}

const MiB = 2 ** 20;

/** Small on any host, and above what the attacks on something else use. */
export const networkLimits = { sendBytes: 2 * MiB, connections: 20 } as const;

/** Returns elements of the attacker's; no element where the policy has nothing of the kind. */
export function attackerNetwork({ has, other }: ScratchNetwork): string {
  const no = (demand: AttackDemand) => (has.has(demand) ? 'no' : 'yes');
  const mail = has.has('reach.mail') ? 'submission' : 'anywhere';
  const refuse = has.has('reach.address')
    ? [other.refused, other.refused6].map((each) => `<refuse address="${each}"/>`).join('')
    : '';
  const reach = `<reach mail="${mail}" tenants="${no('reach.tenants')}" metadata="${no('reach.metadata')}">${refuse}</reach>`;
  return [
    ...limitsText(has),
    ...(reachDemands.some((each) => has.has(each)) ? [reach] : []),
    ...(has.has('listen.public') ? ['<listen public="no"/>'] : []),
  ].join('');
}

/** Returns elements of the neighbour's. */
export const neighbourNetwork = ({ has, keptPort }: ScratchNetwork): string =>
  has.has('listen.ports') ? `<listen ports="${keptPort}" public="yes"/>` : '';

const reachDemands = [
  'reach.mail',
  'reach.tenants',
  'reach.metadata',
  'reach.address',
] as const satisfies readonly AttackDemand[];

function limitsText(has: ScratchNetwork['has']): readonly string[] {
  const send = has.has('network.send') ? ` send="${networkLimits.sendBytes / MiB}MiB/s"` : '';
  const connections = has.has('network.connections')
    ? ` connections="${networkLimits.connections}/s"`
    : '';
  return send === '' && connections === '' ? [] : [`<network${send}${connections}/>`];
}
