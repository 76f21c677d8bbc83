/** The elements of what tenants may reach and open, for the table of the vocabulary. */
import { optional, required, type ElementSpec } from '../elements/element-spec.ts';
import { mailReaches, networkModes, ruleActions, ruleProtocols } from './reach.ts';

const yesOrNo = ['yes', 'no'] as const;

const mode = optional(
  networkModes,
  'Whether the kernel refuses it, or it is only reported; default: refuse. Begin with "watch".',
);

/** A rule for addresses. */
const rule = (verb: string, more: string, example: string): ElementSpec => ({
  summary: `${verb} addresses of other hosts. Of the rules that match, the one with the longest prefix decides; at the same prefix, <allow>.${more}`,
  attributes: {
    address: required(
      'address',
      'The address, or the prefix with its number of bits. Names of hosts are not possible: what they stand for changes.',
    ),
    ports: optional('ports', 'The ports of the other host; default: all.'),
    protocol: optional(
      ruleProtocols,
      'The protocol; default: all. A rule with ports or a protocol does not match ICMP.',
    ),
    reason: optional('line', 'The reason, for whoever reads the policy later.'),
  },
  children: [],
  holdsLimits: false,
  repeats: true,
  example,
});

export const networkElements: Readonly<Record<string, ElementSpec>> = {
  reach: {
    summary:
      "The hosts and services that a tenant's processes may connect to. Inherited as a whole, from the nearest element that has one. Without it, a tenant reaches everything.",
    attributes: {
      mail: optional(
        mailReaches,
        'The mail servers that it reaches: "anywhere"; "submission": none at port 25, by which servers take mail from each other; "relay": connections to port 25 lead to the mail server of this host; "local": none at the ports 25, 465 and 587. The mail server of this host is always reached; default: submission.',
      ),
      tenants: optional(
        yesOrNo,
        'Whether it reaches ports of this host at which other tenants listen, or PHP-FPM serves them; default: no.',
      ),
      metadata: optional(
        yesOrNo,
        'Whether it reaches 169.254.0.0/16, fe80::/10, and the addresses at which Alibaba, AWS, Azure, Google, Oracle and Scaleway give a machine its secrets; default: no. An <allow> with a longer prefix opens a part of it.',
      ),
      others: optional(
        ruleActions,
        'Whether it reaches other hosts that no rule matches; default: allow.',
      ),
      mode,
    },
    children: ['refuse', 'allow'],
    holdsLimits: false,
    repeats: false,
    example:
      '<reach mail="submission" mode="watch"><refuse address="10.0.0.0/8"/><allow address="10.0.0.5" ports="3306"/></reach>',
  },
  refuse: rule(
    'Refuses',
    '',
    '<refuse address="10.0.0.0/8" reason="the network of the provider"/>',
  ),
  allow: rule(
    'Allows',
    ' It does not open mail ports that "mail" refuses.',
    '<allow address="2001:db8::/32" ports="443 8000-8010" protocol="tcp"/>',
  ),
  listen: {
    summary:
      'The ports that a tenant may open. Inherited as a whole, from the nearest element that has one. Without it, a tenant opens any port, to anybody.',
    attributes: {
      ports: optional(
        'ports',
        'Ports that no other tenant can open, also while they are not in use. Only allowed in a <tenant>.',
      ),
      public: optional(
        yesOrNo,
        'Whether other hosts can connect to ports that it opens; default: no. Write it wherever you write "ports".',
      ),
      mode,
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<listen public="no"/>',
  },
};
