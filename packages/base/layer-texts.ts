/**
 * The texts of layers of protection: why each is in its state, and what raises it. Each is a code, which programs
 * translate, and the values in its text. The English text is for commands.
 *
 *     { "code": "some tenants", "values": [3, 12] }      3 of 12 tenants
 */
import { count, listSome } from './list.ts';

const tenants = (value: number) => count(value, 'tenant');

/** The English text of each code, from its values. */
export const layerTexts = {
  english: (text: string) => text,
  // The policy and its limits
  'no policy': () => 'there is no policy',
  'not applied': () => 'it is not applied',
  differences: (value: number) => `${count(value, 'difference')} between the policy and the kernel`,
  'in force': (value: number) => `in force for ${tenants(value)}`,
  'for later': () => 'for tenants that are added; there is none yet',
  'no tenant has it': () => 'no tenant has it',
  'all tenants': (all: number) => tenants(all),
  'some tenants': (some: number, all: number) => `${some} of ${tenants(all)}`,
  'not fully applied': () => 'the policy is not fully applied',
  'host cannot': () => 'this host cannot enforce it',
  'only observed': () => 'the policy only observes limits',
  // The agent
  starting: () => 'it is starting',
  'policy state': (state: string) => `its policy is ${state}`,
  polls: () => 'it polls',
  'no history': () => 'it keeps no history',
  'not at boot': () => 'it runs, and does not start at boot',
  'agent works': () => 'it moves processes, measures and keeps history',
  // Entry paths
  'at source': () => 'at source',
  'at login': () => 'at login',
  caught: () => 'caught',
  'not covered': () => 'not covered',
  'outside the jail': () => 'outside the jail',
  'jail unknown': () => 'whether in the jail is unknown',
  // Guards in the kernel
  'only root sees it': () => 'only root can see it',
  'needs cgroup v2': () => 'it needs cgroup v2',
  'bpf unknown': (file: string) => `it is unknown whether BPF is in force: there is no ${file}`,
  'no bpf': (file: string, modules: string) =>
    `this kernel does not ask BPF programs: "bpf" is not in ${file} (${modules})`,
  'no types': (file: string) =>
    `this kernel was built without the description of its types: there is no ${file}`,
  'outside possible': () => 'a process can run outside its cgroup',
  'outside refused': () => 'the kernel refuses tenants outside their cgroups',
  'outside reported': () => 'processes outside their cgroups are reported',
  'tenants unknown': (value: number) => `it does not know ${tenants(value)} yet`,
  'autoload possible': () => 'tenants can make the kernel load modules',
  'autoload refused': () => 'tenants make the kernel load no modules',
  'autoload reported': () => 'modules that tenants make the kernel load are reported',
  'set otherwise': (wanted: string, is: string) => `it was set to "${wanted}" and is "${is}"`,
  'listed modules': () => 'only listed modules load',
  'other modules reported': () => 'modules that are not listed are reported',
  'every module': () => 'root can load every module',
  'links followed': () => 'web servers follow every link',
  'not as wanted': () => 'what is loaded is not what the policy says',
  'link refused': () => 'tried just now: a foreign link is refused',
  'links reported': () => 'foreign links are reported, and followed',
  'reach open': () => "tenants reach mail servers, metadata services and each other's ports",
  'reach refused': () => 'tried just now: what <reach> refuses does not leave',
  'reach reported': () => 'what <reach> would refuse is reported, and leaves',
  // Jails
  'no tenant yet': () => 'there is no tenant yet',
  'no jail': () => 'no tenant has a jail',
  'jails ready': (ready: number, all: number) => `${ready} of ${count(all, 'jail')} ready`,
  'processes outside': (value: number) =>
    `${count(value, 'process', 'processes')} of these tenants outside`,
  'kept apart': () => 'the kernel keeps them apart',
  // Services
  'no systemd': () => 'systemd is not the init of this host',
  before: (program: string) => `before ${program}`,
  'web server for root': () => 'web servers show their configuration only to root',
  'not enabled at': (...servers: string[]) => `not enabled at ${servers.join(' and ')}`,
  'files differ': () => 'files differ from the policy',
  sites: (all: number) => count(all, 'site'),
  'some sites': (some: number, all: number) => `${some} of ${count(all, 'site')}`,
  'state for root': () => 'only root sees their state',
  'apps not applied': (some: number, all: number) => `${some} of ${all} not applied`,
  applications: (all: number) => count(all, 'application'),
  'rights in servers': (value: number) => `Bulkhead has its rights in ${count(value, 'server')}`,
  'no rights at': (...sockets: string[]) => `Bulkhead has no rights at ${listSome(sockets)}`,
  sandboxes: (value: number) => `${count(value, 'daemon')} with a sandbox, from its next start`,
  'not confined': (...daemons: string[]) => `not confined: ${listSome(daemons)}`,
  'settings good': (value: number) => `${count(value, 'setting')} as recommended`,
  'settings lacking': (...settings: string[]) => `lacking: ${listSome(settings)}`,
  'boot option written': (option: string) =>
    `the boot option "${option}" is written, for the next reboot`,
  // What raises a layer
  'in the policy': (element: string) => `${element} in the policy`,
  'jail by default': (element: string) => `${element} in <defaults> of the policy`,
  'first and next': (first: string, next: string) => `${first}, then ${next}`,
  'stop observing': () =>
    'run: bulkhead setup --level limit; or remove limits="observe" from the policy',
  'kernel with types': () =>
    'use a kernel that has CONFIG_DEBUG_INFO_BTF, as those of the distributions have',
  'kernel with bpf': () => 'this kernel was built without CONFIG_BPF_LSM; use one that has it',
  'boot with bpf': () => 'run "bulkhead setup boot", which adds it to the boot options, and reboot',
} as const;

export type LayerCode = keyof typeof layerTexts;

/** A part of a layer's text. */
export interface LayerPart {
  /** The code: a stable word. */
  readonly code: string;
  /** The values in its text: names, paths and numbers. */
  readonly values?: readonly (string | number)[];
}

type Values<Code extends LayerCode> = Parameters<(typeof layerTexts)[Code]>;

function written<Code extends LayerCode>(code: Code, values: Values<Code>) {
  const text = layerTexts[code] as (...all: Values<Code>) => string;
  const part: LayerPart = values.length === 0 ? { code } : { code, values: [...values] };
  return { text: text(...values), part };
}

/** A reason, and its parts. */
export interface LayerReason {
  readonly reason: string;
  readonly reasons: readonly LayerPart[];
}

/** Returns the reason for a layer's state. */
export function because<Code extends LayerCode>(code: Code, ...values: Values<Code>): LayerReason {
  const { text, part } = written(code, values);
  return { reason: text, reasons: [part] };
}

/** Returns a reason whose second half may be a text that has no code. */
export function joined(
  first: LayerReason,
  second: LayerReason | string,
  between = '; ',
): LayerReason {
  const next = typeof second === 'string' ? because('english', second) : second;
  return {
    reason: `${first.reason}${between}${next.reason}`,
    reasons: [...first.reasons, ...next.reasons],
  };
}

/** Returns what raises a layer, where that is more than a command. */
export function improvedBy<Code extends LayerCode>(code: Code, ...values: Values<Code>) {
  const { text, part } = written(code, values);
  return { improve: text, improves: [part] };
}
