/**
 * The elements of a policy and their attributes, except the limits, which `limits/` lists.
 * The parser, the schema, the reference page and completion are generated from this table.
 */
import { limits } from '../limits/limits.ts';
import { trustLevels } from '../../packages/modules/core/evidence/trust-level.ts';
import { alertElements } from './elements/alert-elements.ts';
import { consoleElement } from './elements/console-element.ts';
import { optional, required, type ElementSpec } from './elements/element-spec.ts';
import { databaseElements } from './databases/databases-vocabulary.ts';
import { networkElements } from './network/network-vocabulary.ts';
import { appElements } from './apps/app-vocabulary.ts';
import { fleetElements, fleetOnlyElements } from './fleet/fleet-vocabulary.ts';
import { jailProfiles, pathAccesses } from './jail.ts';
import { driverNames, limitModes } from './document.ts';
import { followedSources } from './panel/panel-element.ts';

export type { ElementAttribute, ElementSpec } from './elements/element-spec.ts';

const whoAttributes = {
  user: optional('user', 'The name of the account. Either this or uid is required.'),
  uid: optional('uid', 'A uid, which need not have an account. Either this or user is required.'),
};
const packageAttribute = optional('name', 'The package from which it inherits.');

/** The elements of a policy besides those of fleets. */
const policyChildren: readonly string[] = [
  'host',
  'agent',
  'console',
  'panel',
  'tenants',
  'defaults',
  'package',
  'reseller',
  'tenant',
  'databases',
  'placement',
  'symlinks',
  'modules',
];

export const elements: Readonly<Record<string, ElementSpec>> = {
  bulkhead: {
    summary: 'The policy of this host.',
    attributes: { version: required('version', 'The version of the policy language: 1.') },
    children: ['fleet', ...policyChildren, ...fleetOnlyElements],
    holdsLimits: false,
    repeats: false,
    example: '<bulkhead version="1"> … </bulkhead>',
  },
  host: {
    summary: 'Settings of the host as a whole.',
    attributes: {
      driver: optional(
        driverNames,
        'The driver that enforces limits; default: the driver in force, or on a new host the best one available; see docs/apply.md.',
      ),
      limits: optional(
        limitModes,
        'Whether limits are enforced, or only observed: with "observe" the kernel gets none of them, and faults are what would have hit them; default: enforce.',
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<host driver="cgroup2" limits="observe"/>',
  },
  agent: {
    summary: 'Settings of the agent.',
    attributes: {
      interval: optional(
        'duration',
        'The time between two ticks, in which all tenants are sampled; default: 5s.',
      ),
      containers: optional(
        ['leave', 'move'],
        "Whether processes with a tenant's uid in a container, or in a cgroup of another manager, are left there or moved; default: leave.",
      ),
      listen: optional(
        'endpoint',
        'A loopback address and port on which the API and the metrics are also served over TCP.',
      ),
      token: optional('path', 'The file with the secret that TCP clients must send.'),
    },
    children: ['history', 'alerts'],
    holdsLimits: false,
    repeats: false,
    example: '<agent interval="5s" listen="127.0.0.1:9640" token="/etc/bulkhead/token"/>',
  },
  history: {
    summary: 'How long history is kept.',
    attributes: {
      detail: optional('duration', 'How long every tick is kept; default: 2 days.'),
      summary: optional('duration', 'How long hourly summaries are kept; default: 400 days.'),
      incidents: optional('duration', 'How long incidents are kept; default: 400 days.'),
      space: optional('space', 'The maximum disk space for all of it; default: 2GiB.'),
      push: optional(
        'url',
        'The address of a VictoriaMetrics or Prometheus server to which bulkhead-history-push.timer pushes it; see docs/monitoring.md.',
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<history detail="2 days" summary="400 days" space="2GiB"/>',
  },
  ...alertElements,
  console: consoleElement,
  panel: {
    summary:
      'Follows the control panel: an account gets the package that has the name of its plan, counts towards its reseller, and gets mail at its address in the panel. What the policy says of a tenant takes precedence; see docs/panels.md.',
    attributes: {
      source: required(
        followedSources,
        'The panel to read; "auto": the one that this host has. "bulkhead panel status" shows what is read.',
      ),
    },
    children: ['plan'],
    holdsLimits: false,
    repeats: false,
    example: '<panel source="auto"><plan name="Gold plan" package="business"/></panel>',
  },
  plan: {
    summary: 'A plan of the panel whose accounts get a package of another name.',
    attributes: {
      name: required(
        'text',
        'The name of the plan in the panel, where it may be called a package.',
      ),
      owner: optional(
        'user',
        "The reseller that owns the plan; without it, only the panel's own plan of that name counts.",
      ),
      package: required('name', 'The package of the policy.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<plan name="Gold plan" owner="acme" package="business"/>',
  },
  tenants: {
    summary: 'Makes every account with a uid in these ranges a tenant.',
    attributes: {
      uids: required('ranges', 'Ranges of uids, for example "1000-59999".'),
      except: optional('names', 'Accounts in the ranges that are not tenants, by name or uid.'),
      package: packageAttribute,
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<tenants uids="1000-59999" except="deploy backup" package="starter"/>',
  },
  defaults: {
    summary: 'Limits for tenants that have no more specific ones.',
    attributes: {},
    children: ['sites', 'jail', 'reach', 'listen', 'apps'],
    holdsLimits: true,
    repeats: false,
    example: '<defaults><cpu limit="100%"/></defaults>',
  },
  package: {
    summary: 'A named set of limits.',
    attributes: {
      name: required('name', 'The name, unique in the policy.'),
      for: optional(
        'names',
        'The resellers that may give it to their tenants, by name or uid, whatever it contains. Without it, each reseller that may give packages can, unless that changes more than limits.',
      ),
    },
    children: ['sites', 'jail', 'reach', 'listen', 'apps'],
    holdsLimits: true,
    repeats: true,
    example: '<package name="business"><cpu limit="200%"/></package>',
  },
  reseller: {
    summary:
      'A group of tenants. Its limits apply to their sum; its package is inherited by its tenants.',
    attributes: {
      ...whoAttributes,
      package: packageAttribute,
      may: optional(
        'rights',
        'The changes that the reseller may make to elements of its tenants: "limits", within its own, and "packages"; default: none. See docs/changes.md.',
      ),
    },
    children: ['tenant'],
    holdsLimits: true,
    repeats: true,
    example:
      '<reseller user="acme" package="business"><cpu limit="400%"/><tenant user="bob"/></reseller>',
  },
  tenant: {
    summary: 'A tenant, with the limits that differ from those it inherits.',
    attributes: { ...whoAttributes, package: packageAttribute },
    children: ['sites', 'site', 'jail', 'reach', 'listen', 'app', 'apps'],
    holdsLimits: true,
    repeats: true,
    example: '<tenant user="alice" package="business"><cpu limit="300%"/></tenant>',
  },
  site: {
    summary:
      "A site of a tenant, with its own limits within the tenant's. It inherits none: only the tenant's limits apply to what it does not set.",
    attributes: {
      name: required(
        'site',
        'Its host name, unique in the tenant; upper and lower case are the same.',
      ),
    },
    children: ['jail', 'app'],
    holdsLimits: true,
    withoutLimits: {
      disk: 'quotas belong to an account; set <disk> for the tenant',
      database: 'accounts of database servers belong to a tenant; set <database> for the tenant',
      network: 'sockets belong to an account; set <network> for the tenant',
    },
    formerLimits: ['network'],
    repeats: true,
    example: '<site name="shop.example"><cpu limit="50%"/><memory limit="512MiB"/></site>',
  },
  sites: {
    summary:
      "Whether a tenant and its reseller may set limits of the tenant's sites. Inherited from the nearest element that has it.",
    attributes: {
      limits: required(
        'setters',
        `Whether the tenant, its reseller, or both may set them, within the tenant's limits, where the policy sets none for the site; "administrator": only the policy does.`,
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<sites limits="tenant"/>',
  },
  jail: {
    summary:
      "The part of the host that a tenant's processes can see. Inherited as a whole, from the nearest element that has one. A site's own jail does not contain the tenant's home.",
    attributes: {
      profile: required(
        jailProfiles,
        'What is inside: "web" is for sites, "shell" for people, "strict" shows the least; "none" cancels an inherited jail, but not in a site.',
      ),
      home: optional(
        'path',
        "The site's directory, which the tenant must own; it replaces the home. Required in a site, and only allowed there.",
      ),
      commands: optional(
        'names',
        'The commands that the broker runs outside for processes in the jail: "sendmail", "crontab", "passwd", or "none"; default: "sendmail crontab". Not allowed in a site.',
      ),
      databases: optional(
        'names',
        'The database servers whose sockets are found and visible: "mysql" (also MariaDB), "postgresql", or "none"; default: all; in a site none.',
      ),
    },
    children: ['path'],
    holdsLimits: false,
    repeats: false,
    example: '<jail profile="web" commands="sendmail"><path at="/srv/media"/></jail>',
  },
  path: {
    summary: 'A directory of the host that is visible in the jail, too.',
    attributes: {
      at: required('path', 'Its path, which only root may be able to change.'),
      access: optional(
        pathAccesses,
        'Whether processes in the jail can only read it, or also write to it; default: "read".',
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<path at="/run/mysqld" access="write"/>',
  },
  ...networkElements,
  ...appElements,
  ...databaseElements,
  ...fleetElements(policyChildren),
  placement: {
    summary: `Whether the kernel refuses to let a process take a tenant's uid outside that tenant's cgroup; needs cgroup v2 and BPF. Use "watch" first, and see what is reported.`,
    attributes: {
      strict: required(
        ['yes', 'watch', 'no'],
        'Refuse it, only report it, or do nothing, which is the default.',
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<placement strict="watch"/>',
  },
  symlinks: {
    summary:
      'The symbolic links that web servers may follow. The kernel refuses all others, if it has BPF LSM; "bulkhead symlinks guard status" shows whether it does.',
    attributes: {
      follow: required(['owner-match'], 'Follow only links whose owner also owns the target.'),
      by: required('names', 'The users and groups to which it applies.'),
      trust: optional(
        'names',
        'The users whose own links are followed wherever they lead, or "none"; default: root.',
      ),
      targets: optional(
        'names',
        'The users to whose files anybody may make a link that is followed; default: none.',
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<symlinks follow="owner-match" by="www-data nginx"/>',
  },
  modules: {
    summary:
      'The kernel modules that this host accepts. "bulkhead modules scan" checks all modules against it, and "bulkhead modules gate" keeps others from loading.',
    attributes: {
      require: optional(trustLevels, 'The lowest trust level that is accepted.'),
      autoload: optional(
        ['yes', 'watch', 'no'],
        'Whether the kernel loads a module because a tenant asks for a protocol or a file system; "watch" only reports it; default: yes.',
      ),
    },
    children: ['deny'],
    holdsLimits: false,
    repeats: false,
    example: '<modules require="consistent"><deny name="lve"/></modules>',
  },
  deny: {
    summary: 'A module that is never accepted.',
    attributes: {
      name: required('name', 'The name of the module.'),
      reason: optional('text', 'The reason, for whoever reads the policy later.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<deny name="lve" reason="claims GPL, no source"/>',
  },
};

export function specOf(name: string): ElementSpec {
  const spec = elements[name];
  if (spec === undefined) throw new Error(`No element "${name}" in the vocabulary`);
  return spec;
}

export const limitNames: ReadonlySet<string> = new Set(limits.map((limit) => limit.name));

/** Whether an element of this name may be a child of that one. */
export const mayContain = (parent: ElementSpec, child: string): boolean =>
  parent.children.includes(child) || mayLimit(parent, child);

const mayLimit = ({ holdsLimits, withoutLimits }: ElementSpec, limit: string): boolean =>
  holdsLimits && limitNames.has(limit) && withoutLimits?.[limit] === undefined;

/** The limits that may be children of an element. */
export const limitsIn = (parent: ElementSpec): readonly string[] =>
  [...limitNames].filter((each) => mayLimit(parent, each));

export const childNames = (parent: ElementSpec): readonly string[] => [
  ...parent.children,
  ...limitsIn(parent),
];
