/**
 * The policy of a fleet:
 *
 *     <bulkhead version="1">
 *       <hosts fleet="example" local="tenants">
 *         <group name="shared" hosts="web-001..web-300"/>
 *         <waves watch="30min"><wave hosts="10%"/><wave hosts="100%"/></waves>
 *       </hosts>
 *       <defaults><memory limit="1GiB"/></defaults>
 *       <on host="web-017"><defaults><memory limit="2GiB"/></defaults></on>
 *     </bulkhead>
 *
 * Everything besides `<hosts>` and `<on>` is for all hosts. There are no variables, conditions and facts of hosts: a host
 * must not choose what it gets.
 */
import { checkElement } from '../check-element.ts';
import { Diagnostics, LineIndex } from '../diagnostic.ts';
import { LocatedValues } from '../elements/located-values.ts';
import { specOf } from '../vocabulary.ts';
import { childrenOf, parseXml, xmlAttribute, type XmlElement } from '../xml.ts';
import { FleetHosts, type FleetGroup } from './fleet-hosts.ts';
import { fleetOnlyElements } from './fleet-vocabulary.ts';
import { layerTree, type LayerElement } from './layer-tree.ts';
import { hasOneOf, readWaves, type WaveGate } from './waves.ts';
import type { LayerFile } from './write-tree.ts';

export interface FleetHost {
  readonly name: string;
  /** The number of its wave, from 1 on. */
  readonly wave: number;
}

/** Elements that differ on some hosts. */
interface FleetLayer {
  readonly hosts: ReadonlySet<string>;
  readonly tree: LayerElement;
}

export interface FleetPolicy extends WaveGate {
  readonly file: LayerFile;
  readonly name: string;
  readonly groups: readonly FleetGroup[];
  /** All hosts, in the order of the policy. */
  readonly hosts: readonly FleetHost[];
  readonly waves: readonly (readonly string[])[];
  /** The elements for all hosts. */
  readonly base: LayerElement;
  /** The layers of `<on>`; later ones take precedence. */
  readonly layers: readonly FleetLayer[];
}

export interface ParsedFleet {
  /** Absent if the policy has mistakes. */
  readonly fleet: FleetPolicy | undefined;
  readonly diagnostics: Diagnostics;
}

/** Reads the policy of a fleet: its hosts, its waves, and the elements; values are checked for each host later. */
export function parseFleet(file: string, text: string): ParsedFleet {
  const diagnostics = new Diagnostics(file, text);
  const root = parseXml(text, diagnostics);
  if (root === undefined) return { fleet: undefined, diagnostics };
  const [hosts] = childrenOf(root, 'hosts');
  if (root.name !== 'bulkhead' || hosts === undefined) {
    diagnostics.error(
      root,
      root.name === 'bulkhead'
        ? 'This is not the policy of a fleet: it has no <hosts>; write for example <hosts fleet="example"><group name="shared" hosts="web-001..web-300"/></hosts>'
        : `The root element is <${root.name}>, not <bulkhead version="1">`,
    );
    return { fleet: undefined, diagnostics };
  }
  checkElement(root, specOf('bulkhead'), diagnostics);
  const [own] = childrenOf(root, 'fleet');
  if (own !== undefined)
    diagnostics.error(
      own,
      "<fleet> belongs into a host's own policy, which names the fleet and the host",
    );
  const fleet = readParts({ file, text, root, hosts, diagnostics });
  return { fleet: diagnostics.failed ? undefined : fleet, diagnostics };
}

interface FleetText {
  readonly file: string;
  readonly text: string;
  readonly root: XmlElement;
  readonly hosts: XmlElement;
  readonly diagnostics: Diagnostics;
}

function readParts({ file, text, root, hosts, diagnostics }: FleetText): FleetPolicy | undefined {
  const values = new LocatedValues(diagnostics);
  values.value(root, 'version', 'version');
  const name = values.value(hosts, 'fleet', 'fleetName');
  values.value(hosts, 'local', 'localWords');
  const found = new FleetHosts(hosts, diagnostics);
  const waves = readWaves(childrenOf(hosts, 'waves')[0], found, diagnostics);
  const layers = childrenOf(root, 'on').map((each): FleetLayer => {
    const isFor = hasOneOf(each, ['group', 'host'], diagnostics)
      ? [...found.ofGroups(each, 'group'), ...found.known(each, 'host')]
      : [];
    return { hosts: new Set(isFor), tree: asPolicy(layerTree(each, text, 0)) };
  });
  if (name === undefined) return undefined;
  const waveOf = new Map(waves.waves.flatMap((each, at) => each.map((host) => [host, at + 1])));
  return {
    ...waves,
    file: { file, lines: new LineIndex(text) },
    name: name.value,
    groups: [...found.groups.values()],
    hosts: [...found.names].map((host) => ({ name: host, wave: waveOf.get(host) ?? 1 })),
    base: withFleet(layerTree(root, text, 0, fleetOnlyElements), hosts, text),
    layers,
  };
}

/** Returns the elements of `<on>` as the policy that they are a part of. */
const asPolicy = (on: LayerElement): LayerElement => ({ ...on, name: 'bulkhead', attributes: [] });

/** Adds `<fleet name local>`, so that a host learns what its own policy may say. */
function withFleet(base: LayerElement, hosts: XmlElement, text: string): LayerElement {
  const { attributes, at } = layerTree({ ...hosts, children: [] }, text, 0);
  const names: Readonly<Record<string, string>> = { fleet: 'name', local: 'local' };
  const fleet: LayerElement = {
    name: 'fleet',
    key: 'fleet',
    at,
    attributes: attributes.flatMap((each) => {
      const name = names[each.name];
      return name === undefined ? [] : [{ ...each, name }];
    }),
    children: [],
  };
  const hasLocal = xmlAttribute(hosts, 'local') !== undefined;
  return hasLocal ? { ...base, children: [fleet, ...base.children] } : base;
}
