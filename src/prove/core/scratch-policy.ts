/** The policy of the scratch tenants, in the words of every policy. */
import type { DriverName } from '../../policy/document.ts';
import { jailProfiles, type Jail } from '../../policy/jail.ts';
import { jailOf, type Policy } from '../../policy/policy.ts';
import type { ScratchLimits } from './attack.ts';
import { attackerNetwork, neighbourNetwork, type ScratchNetwork } from './scratch-network.ts';

const MiB = 2 ** 20;

/**
 * Limits that are small on any host: a fifth of a core, and less memory than one PHP process may
 * use.
 */
export const attackerLimits = {
  cpu: 0.2,
  memory: 64 * MiB,
  processes: 40,
  write: 2 * MiB,
  space: 8 * MiB,
  files: 200,
} satisfies ScratchLimits;

/** Limits so far above the attacker's that an attack ends before it reaches them. */
const controlLimits: ScratchLimits = {
  cpu: 0.5,
  memory: 192 * MiB,
  processes: 200,
  write: undefined,
  space: undefined,
  files: undefined,
};

/** The limits of a tenant that only waits. */
const neighbourLimits: ScratchLimits = { ...controlLimits, memory: 64 * MiB, processes: 20 };

export interface ScratchTenants {
  readonly attacker: number;
  readonly neighbour: number;
  readonly control: number;
}

/** The protections of the scratch tenants, the same as in the policy in force. */
export interface ScratchHolding {
  readonly driver: DriverName | undefined;
  readonly jail: Jail['profile'] | undefined;
  readonly strict: boolean;
  readonly network: ScratchNetwork;
}

/** Returns the most permissive jail profile that the policy uses: `shell`, then `web`. */
export function jailProfileOf(policy: Policy): Jail['profile'] | undefined {
  const used = new Set(policy.tenants.map((tenant) => jailOf(tenant)?.profile));
  const most = [
    'shell',
    'web',
    'strict',
  ] as const satisfies readonly (typeof jailProfiles)[number][];
  return most.find((each) => used.has(each));
}

export function scratchPolicy(
  { attacker, neighbour, control }: ScratchTenants,
  limits: ScratchLimits,
  { driver, jail, strict, network }: ScratchHolding,
): string {
  const host = driver === undefined ? '' : `  <host driver="${driver}"/>\n`;
  const placement = strict ? '  <placement strict="yes"/>\n' : '';
  const tenants = [
    tenantText(attacker, limits, jail, attackerNetwork(network)),
    tenantText(neighbour, neighbourLimits, jail, neighbourNetwork(network)),
    tenantText(control, controlLimits, undefined, ''),
  ];
  return `<bulkhead version="1">\n${host}${placement}${tenants.join('')}</bulkhead>\n`;
}

function tenantText(
  uid: number,
  limits: ScratchLimits,
  jail: Jail['profile'] | undefined,
  network: string,
): string {
  const { cpu, memory, processes, write, space, files } = limits;
  const elements = [
    element('cpu', { limit: cpu && `${Math.round(cpu * 100)}%` }),
    element('memory', { limit: memory && `${memory / MiB}MiB` }),
    element('io', { write: write && `${write / MiB}MiB/s` }),
    element('processes', { limit: processes }),
    element('disk', { space: space && `${space / MiB}MiB`, files }),
    network,
    element('jail', { profile: jail }),
  ];
  return `  <tenant uid="${uid}">${elements.join('')}</tenant>\n`;
}

function element(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${value}"`);
  return written.length === 0 ? '' : `<${name}${written.join('')}/>`;
}
