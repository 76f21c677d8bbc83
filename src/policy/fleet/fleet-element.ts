/** `<fleet>` → FleetElement, with every mistake reported. */
import type { Diagnostics } from '../diagnostic.ts';
import { LocatedValues, span } from '../elements/located-values.ts';
import { childrenOf, type XmlElement } from '../xml.ts';
import { fleetOnlyElements } from './fleet-vocabulary.ts';
import type { FleetElement, FleetSettings } from './fleet-settings.ts';
import { defaultAcceptWords } from './fleet-words.ts';

export function readFleet(element: XmlElement, diagnostics: Diagnostics): FleetElement | undefined {
  const values = new LocatedValues(diagnostics);
  const name = values.value(element, 'name', 'fleetName')?.value;
  const host = values.value(element, 'host', 'fleetName')?.value;
  const from = values.value(element, 'from', 'fleetServers')?.value;
  const accept = values.value(element, 'accept', 'acceptWords')?.value;
  const local = values.value(element, 'local', 'localWords')?.value;
  if (name === undefined) return undefined;
  if (host === undefined && (from ?? accept) !== undefined)
    diagnostics.error(element, '<fleet> needs "host", the name of this host in the fleet');
  const settings: FleetSettings = {
    name,
    ...(host !== undefined && { host }),
    from: from ?? [],
    accept: accept ?? defaultAcceptWords,
    ...(local && { local }),
  };
  return { ...span(element), settings };
}

/** Reports a policy of a fleet where a host's policy is needed. Returns whether it is one. */
export function refuseFleetPolicy(root: XmlElement, diagnostics: Diagnostics): boolean {
  const [first] = fleetOnlyElements.flatMap((each) => childrenOf(root, each));
  if (first === undefined) return false;
  diagnostics.error(
    first,
    `<${first.name}> makes this the policy of a fleet, which no host applies: check it with "bulkhead fleet check", and print a host's policy with "bulkhead fleet render HOST"`,
  );
  return true;
}
