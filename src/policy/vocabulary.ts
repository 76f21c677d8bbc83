/**
 * The elements of a policy and their attributes, apart from the limits, which `limits/` lists.
 * The parser, the schema, the reference page and completion are made from this table.
 */
import { severities } from '../limits/limit.ts';
import { limits } from '../limits/limits.ts';
import { trustLevels } from './trust-level.ts';
import type { ValueKindName } from './value-kinds.ts';
import { driverNames } from './document.ts';

/** A kind of `value-kinds.ts`, or the words that are allowed. */
export type ValueKind = ValueKindName | readonly string[];

export interface ElementAttribute {
  readonly kind: ValueKind;
  readonly required: boolean;
  readonly summary: string;
}

export interface ElementSpec {
  readonly summary: string;
  readonly attributes: Readonly<Record<string, ElementAttribute>>;
  /** Child elements, apart from limits. */
  readonly children: readonly string[];
  readonly holdsLimits: boolean;
  /** Whether the element may stand more than once under its parent. */
  readonly repeats: boolean;
  readonly example: string;
}

const required = (kind: ValueKind, summary: string): ElementAttribute => ({
  kind,
  required: true,
  summary,
});
const optional = (kind: ValueKind, summary: string): ElementAttribute => ({
  kind,
  required: false,
  summary,
});

const whoAttributes = {
  user: optional('user', 'Name of the account. Either this or uid.'),
  uid: optional('uid', 'A uid, which needs no account. Either this or user.'),
};
const packageAttribute = optional('name', 'The package that it inherits from.');

const receiverAttributes = {
  to: required(['administrator', 'reseller', 'tenant'], 'Whom it is for.'),
  limits: optional('names', 'The limits that count; all where it is not written.'),
  severity: optional(severities, 'The least that counts; "refused" where it is not written.'),
  faults: optional('count', 'Faults before it is worth a message; 1 where it is not written.'),
  every: optional(
    'duration',
    'Least time between two messages about one limit of one tenant; 12h where it is not written.',
  ),
};

export const elements: Readonly<Record<string, ElementSpec>> = {
  bulkhead: {
    summary: 'The whole policy of this host.',
    attributes: { version: required('version', 'Version of the language: 1.') },
    children: [
      'host',
      'agent',
      'tenants',
      'defaults',
      'package',
      'reseller',
      'tenant',
      'symlinks',
      'modules',
    ],
    holdsLimits: false,
    repeats: false,
    example: '<bulkhead version="1"> … </bulkhead>',
  },
  host: {
    summary: 'Choices about this host as a whole.',
    attributes: {
      driver: optional(
        driverNames,
        'How tenants are held; chosen by probing where it is not written.',
      ),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<host driver="cgroup2"/>',
  },
  agent: {
    summary: 'How the agent of this host works.',
    attributes: {
      interval: optional('duration', 'Between two looks at everybody. 5s where it is not written.'),
      containers: optional(
        ['leave', 'move'],
        "What becomes of processes with a tenant's uid in a container or in another manager's cgroup. They are left there where it is not written.",
      ),
      listen: optional(
        'endpoint',
        'Where the API and the metrics are served over TCP too: an address of this host.',
      ),
      token: optional('path', 'The file that holds the secret which clients over TCP must send.'),
    },
    children: ['history', 'alerts'],
    holdsLimits: false,
    repeats: false,
    example: '<agent interval="5s" listen="127.0.0.1:9640" token="/etc/bulkhead/token"/>',
  },
  history: {
    summary: 'How long what is kept.',
    attributes: {
      detail: optional('duration', 'Every look. 2 days where it is not written.'),
      summary: optional('duration', 'Hours. 400 days where it is not written.'),
      incidents: optional('duration', 'Incidents. 400 days where it is not written.'),
      space: optional('space', 'All of it together. 2GiB where it is not written.'),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<history detail="2 days" summary="400 days" space="2GiB"/>',
  },
  alerts: {
    summary: 'Who is told of limits that were hit. Nobody is where this is not written.',
    attributes: {
      from: optional('mail', 'The sender of mail.'),
      smtp: optional('endpoint', 'The mail server; sendmail where it is not written.'),
    },
    children: ['mail', 'webhook'],
    holdsLimits: false,
    repeats: false,
    example: '<alerts from="bulkhead@example.org"><mail to="administrator"/></alerts>',
  },
  mail: {
    summary: 'Mail to one kind of receiver.',
    attributes: {
      ...receiverAttributes,
      address: optional('mail', 'Where to; the local account where it is not written.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<mail to="tenant" limits="memory processes" severity="refused" every="12h"/>',
  },
  webhook: {
    summary: 'A URL to which alerts are posted as JSON.',
    attributes: { ...receiverAttributes, url: required('url', 'Where to.') },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<webhook to="administrator" url="https://example.org/hook"/>',
  },
  tenants: {
    summary: 'Every account whose uid lies in a range is a tenant.',
    attributes: {
      uids: required('ranges', 'Ranges of uids, for example "1000-59999".'),
      except: optional('names', 'Accounts in the ranges that are no tenants, by name or uid.'),
      package: packageAttribute,
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<tenants uids="1000-59999" except="deploy backup" package="starter"/>',
  },
  defaults: {
    summary: 'Limits of every tenant for which nothing nearer says otherwise.',
    attributes: {},
    children: [],
    holdsLimits: true,
    repeats: false,
    example: '<defaults><cpu limit="100%"/></defaults>',
  },
  package: {
    summary: 'A named set of limits.',
    attributes: { name: required('name', 'Its name, unique in the policy.') },
    children: [],
    holdsLimits: true,
    repeats: true,
    example: '<package name="business"><cpu limit="200%"/></package>',
  },
  reseller: {
    summary:
      'A group of tenants whose sum is bounded by the limits written here. Its package is what its tenants inherit.',
    attributes: { ...whoAttributes, package: packageAttribute },
    children: ['tenant'],
    holdsLimits: true,
    repeats: true,
    example:
      '<reseller user="acme" package="business"><cpu limit="400%"/><tenant user="bob"/></reseller>',
  },
  tenant: {
    summary: 'One tenant, and what differs for it.',
    attributes: { ...whoAttributes, package: packageAttribute },
    children: [],
    holdsLimits: true,
    repeats: true,
    example: '<tenant user="alice" package="business"><cpu limit="300%"/></tenant>',
  },
  symlinks: {
    summary: 'What symbolic links the web server may follow. Read, not yet enforced.',
    attributes: {
      follow: required(['owner-match'], 'Only links whose owner owns what they lead to.'),
      by: required('names', 'Users for whom it holds.'),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<symlinks follow="owner-match" by="www-data"/>',
  },
  modules: {
    summary:
      'The kernel modules that this host accepts. "bulkhead modules scan" holds all of them against it; nothing keeps one from being loaded yet.',
    attributes: { require: optional(trustLevels, 'The lowest trust level that is accepted.') },
    children: ['deny'],
    holdsLimits: false,
    repeats: false,
    example: '<modules require="consistent"><deny name="lve"/></modules>',
  },
  deny: {
    summary: 'A module that is never accepted.',
    attributes: {
      name: required('name', 'Its name.'),
      reason: optional('text', 'Why, for those who read it later.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<deny name="lve" reason="claims GPL, no source"/>',
  },
};

export const limitNames: ReadonlySet<string> = new Set(limits.map((limit) => limit.name));

/** Whether an element of this name may stand under that one. */
export function mayContain(parent: ElementSpec, child: string): boolean {
  return parent.children.includes(child) || (parent.holdsLimits && limitNames.has(child));
}

export function childNames(parent: ElementSpec): readonly string[] {
  return parent.holdsLimits ? [...parent.children, ...limitNames] : parent.children;
}
