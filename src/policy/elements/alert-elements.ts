/** The elements of `<alerts>`: rules for mail and webhooks, and digests. */
import { severities } from '../../limits/limit.ts';
import { weekdays } from '../settings.ts';
import { optional, required, type ElementSpec } from './element-spec.ts';

const receiverAttributes = {
  to: required(['administrator', 'reseller', 'tenant'], 'The kind of receiver.'),
  limits: optional(
    'names',
    'What to alert on: limits, "symlinks", "jail", and for the administrator "protection"; default: all.',
  ),
  severity: optional(severities, 'The minimum severity; default: "refused".'),
  faults: optional(
    'count',
    'The number of faults in an incident before an alert is sent; default: 1.',
  ),
  every: optional(
    'duration',
    'The minimum time between two alerts about one limit of one tenant, at least 1min; default: 12h.',
  ),
};

export const alertElements: Readonly<Record<string, ElementSpec>> = {
  alerts: {
    summary: 'Alerts when limits are hit. Without this element, no alerts are sent.',
    attributes: {
      from: optional('mail', 'The sender address of mail.'),
      smtp: optional('endpoint', 'The mail server; default: the local sendmail.'),
    },
    children: ['mail', 'webhook', 'digest'],
    holdsLimits: false,
    repeats: false,
    example: '<alerts from="bulkhead@example.org"><mail to="administrator"/></alerts>',
  },
  mail: {
    summary: 'Sends mail to one kind of receiver.',
    attributes: {
      ...receiverAttributes,
      address: optional('mail', 'The mail address; default: the local account.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<mail to="tenant" limits="memory processes" severity="refused" every="12h"/>',
  },
  webhook: {
    summary: 'Posts alerts as JSON to a URL.',
    attributes: { ...receiverAttributes, url: required('url', 'The URL.') },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<webhook to="administrator" url="https://example.org/hook"/>',
  },
  digest: {
    summary:
      'Sends each tenant or reseller one mail a day or a week, if there is something to report: limits that were reached, use close to a limit, and disk space that will be full.',
    attributes: {
      to: required(['reseller', 'tenant'], 'The kind of receiver.'),
      address: optional(
        'mail',
        'The mail address; default: the address in the panel, or else the local account.',
      ),
      every: optional(['day', 'week'], 'How often; default: week.'),
      day: optional(weekdays, 'The day of a weekly digest; default: monday.'),
      at: optional('time', "The time of day, in the host's time zone; default: 07:00."),
      use: optional('percent', 'The share of a limit from which use is reported; default: 80%.'),
      choose: optional(
        'percent',
        'Lets receivers choose their own share, from this one to 100%, and turn the digest off or to weekly; default: they may not.',
      ),
      full: optional(
        'duration',
        'Disk space that will be full within this time is reported, at least 1 day; default: 14 days.',
      ),
      language: optional(
        'language',
        'The language of the text. "en" and "de" are built in; default: en.',
      ),
      most: optional('count', 'The maximum number of messages for one day or week; default: 1000.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<digest to="tenant" every="week" day="monday" at="07:00" use="80%" language="de"/>',
  },
};
