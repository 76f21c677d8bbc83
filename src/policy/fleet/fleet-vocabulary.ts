/** The elements of a fleet, for the table of the vocabulary. */
import { optional, required, type ElementSpec } from '../elements/element-spec.ts';
import { defaultAcceptWords } from './fleet-words.ts';

/** The elements that only the policy of a fleet has. */
export const fleetOnlyElements: readonly string[] = ['hosts', 'on'];

/** `policyChildren` are the elements of a host's policy. */
export const fleetElements = (
  policyChildren: readonly string[],
): Readonly<Record<string, ElementSpec>> => ({
  fleet: {
    summary:
      "The fleet to which this host belongs. The fleet's policy lies below this file: what this file says takes precedence, attribute by attribute.",
    attributes: {
      name: required('fleetName', 'The name of the fleet.'),
      host: optional('fleetName', 'The name of this host in the fleet.'),
      from: optional('fleetServers', "The servers from which the host fetches the fleet's policy."),
      accept: optional(
        'acceptWords',
        `What the fleet's policy may say here; a policy that says anything else is refused as a whole; default: ${defaultAcceptWords.join(' ')}.`,
      ),
      local: optional(
        'localWords',
        "What this file may say about limits, packages and tenants; default: what the fleet's policy says, or else everything.",
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example:
      '<fleet name="example" host="web-017" from="https://fleet.example.org/releases" accept="limits packages tenants sites jail"/>',
  },
  hosts: {
    summary:
      'The hosts of a fleet, in the policy of a fleet only. "bulkhead fleet check" reads such a policy, "bulkhead fleet render" prints what becomes of it on a host.',
    attributes: {
      fleet: required('fleetName', 'The name of the fleet.'),
      hosts: optional('fleetHosts', 'Hosts that need not be in a group.'),
      local: optional(
        'localWords',
        "What a host's own policy may say about limits, packages and tenants; default: everything.",
      ),
    },
    children: ['group', 'waves'],
    holdsLimits: false,
    repeats: false,
    example: '<hosts fleet="example"><group name="shared" hosts="web-001..web-300"/></hosts>',
  },
  group: {
    summary: 'A group of hosts. A host can be in several groups, or in none.',
    attributes: {
      name: required('fleetName', 'The name of the group, unique in the fleet.'),
      hosts: required('fleetHosts', 'Its hosts.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<group name="canary" hosts="web-001 web-150 rs-01"/>',
  },
  waves: {
    summary:
      'The order in which hosts get a release, and what stops it. Without it, all hosts are one wave.',
    attributes: {
      watch: optional(
        'watch',
        'How long a host watches its tenants after it has applied a release; default: 30min.',
      ),
      failed: optional(
        'share',
        'The share of the hosts of a wave that may fail before the release is taken back; in the first wave none may; default: 0%.',
      ),
      silent: optional(
        'share',
        'The share of the hosts of a wave that may be silent before the release pauses; default: 10%.',
      ),
    },
    children: ['wave'],
    holdsLimits: false,
    repeats: false,
    example:
      '<waves watch="30min" failed="2%" silent="10%"><wave hosts="10%"/><wave hosts="100%"/></waves>',
  },
  wave: {
    summary:
      'A wave: hosts that get a release together, of those that are in no earlier wave. Either group or hosts is required.',
    attributes: {
      group: optional('fleetNames', 'Groups.'),
      hosts: optional(
        'waveHosts',
        'A share of all hosts of the fleet, or hosts by name; "100%": all that are left.',
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<wave hosts="100%"/>',
  },
  on: {
    summary:
      'What differs on some hosts, in the policy of a fleet only. Later ones take precedence, attribute by attribute. Either group or host is required.',
    attributes: {
      group: optional('fleetNames', 'The groups whose hosts it is for.'),
      host: optional('fleetHosts', 'The hosts that it is for.'),
    },
    children: policyChildren,
    holdsLimits: false,
    repeats: true,
    example: '<on host="web-017"><defaults><memory limit="2GiB"/></defaults></on>',
  },
});
