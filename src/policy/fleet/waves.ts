/** The waves of a fleet: which hosts get a release first. */
import { count } from '../../../packages/base/list.ts';
import type { Diagnostics } from '../diagnostic.ts';
import { LocatedValues } from '../elements/located-values.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import type { FleetHosts } from './fleet-hosts.ts';

/** The conditions that stop a release. */
export interface WaveGate {
  /** The seconds for which a host watches its tenants after it has applied. */
  readonly watchSeconds: number;
  /** The share of a wave's hosts that may fail, 0 to 1. */
  readonly failed: number;
  /** The share of a wave's hosts that may be silent, 0 to 1. */
  readonly silent: number;
}

export interface Waves extends WaveGate {
  /** The waves, each with its hosts; every host of the fleet is in one. */
  readonly waves: readonly (readonly string[])[];
}

const usual: WaveGate = { watchSeconds: 1800, failed: 0, silent: 0.1 };
const wavesMax = 100;

/** Reads `<waves>`; without one, all hosts are one wave. */
export function readWaves(
  element: XmlElement | undefined,
  hosts: FleetHosts,
  diagnostics: Diagnostics,
): Waves {
  if (element === undefined) return { ...usual, waves: [[...hosts.names]] };
  const values = new LocatedValues(diagnostics);
  const gate = {
    watchSeconds: values.value(element, 'watch', 'watch')?.value ?? usual.watchSeconds,
    failed: values.value(element, 'failed', 'share')?.value ?? usual.failed,
    silent: values.value(element, 'silent', 'share')?.value ?? usual.silent,
  };
  const written = childrenOf(element, 'wave');
  if (written.length > wavesMax)
    diagnostics.error(element, `There are ${written.length} waves; ${wavesMax} are the most`);
  const left = new Set(hosts.names);
  const waves = written.slice(0, wavesMax).map((each) => {
    const wave = hostsOfWave(each, hosts, left, diagnostics);
    for (const host of wave) left.delete(host);
    return wave;
  });
  if (left.size > 0 && !diagnostics.failed) refuseLeft(element, left, diagnostics);
  return { ...gate, waves };
}

function refuseLeft(
  element: XmlElement,
  left: ReadonlySet<string>,
  diagnostics: Diagnostics,
): void {
  const [first] = left;
  const more = left.size > 1 ? ` and ${count(left.size - 1, 'more host')}` : '';
  diagnostics.error(
    element,
    `The host "${first}"${more} is in no wave; end with <wave hosts="100%"/>, which has all that are left`,
  );
}

function hostsOfWave(
  element: XmlElement,
  hosts: FleetHosts,
  left: ReadonlySet<string>,
  diagnostics: Diagnostics,
): readonly string[] {
  const wanted = wantedOf(element, hosts, left, diagnostics);
  const wave = wanted.filter((each) => left.has(each));
  if (wave.length === 0 && !diagnostics.failed)
    diagnostics.error(
      element,
      'This <wave> has no hosts: all of them are in earlier waves; remove it',
    );
  return wave;
}

function wantedOf(
  element: XmlElement,
  hosts: FleetHosts,
  left: ReadonlySet<string>,
  diagnostics: Diagnostics,
): readonly string[] {
  const written = xmlAttribute(element, 'hosts');
  if (!hasOneOf(element, ['group', 'hosts'], diagnostics)) return [];
  if (written === undefined) return hosts.ofGroups(element, 'group');
  if (!written.value.includes('%')) return hosts.known(element, 'hosts');
  const share = new LocatedValues(diagnostics).value(element, 'hosts', 'waveHosts')?.value;
  return typeof share === 'number' ? shareOf(share, hosts.names.size, [...left]) : [];
}

/** Whether the element has exactly one of these attributes; otherwise it is reported. */
export function hasOneOf(
  element: XmlElement,
  names: readonly [string, string],
  diagnostics: Diagnostics,
): boolean {
  const written = names.filter((each) => xmlAttribute(element, each) !== undefined);
  if (written.length === 1) return true;
  diagnostics.error(
    element,
    written.length === 0
      ? `<${element.name}> needs the attribute "${names[0]}" or "${names[1]}"`
      : `<${element.name}> has both "${names[0]}" and "${names[1]}"; write two elements`,
  );
  return false;
}

/**
 * Returns a share of all hosts, of those that are left: spread evenly over them, so that each group has its part. The
 * same policy always gives the same hosts.
 */
function shareOf(share: number, all: number, left: readonly string[]): readonly string[] {
  if (share === 1) return left;
  const wanted = Math.min(left.length, Math.max(1, Math.round(share * all)));
  return Array.from(
    { length: wanted },
    (_, index) => left[Math.floor((index * left.length) / wanted)] ?? '',
  );
}
