/** Incidents of tenants at their limits and rules on the network, in plain words. */
import type { Topic } from '../../usage/causes/incident-topics.ts';
import type { IncidentKind } from '../../usage/incident-kind.ts';
import { times } from '../../usage/numbers.ts';
import { attemptEvidence, type Attempt } from './attempts.ts';
import type { NetworkRefusalKind } from './use.ts';

const watched = 'The policy only watches: nothing was refused.';

/** Describes a rule of the policy, which has no value as a limit has. */
function rule(
  limit: NetworkRefusalKind,
  { element, tried, did, topic }: RuleTexts,
): IncidentKind<Attempt> {
  const attribute = limit.replace(/^[a-z]+\./, '');
  return {
    limit,
    withoutLimit: {
      value: attribute,
      from: `<${element}> of the policy`,
      because: `against <${element}> of its policy`,
    },
    topic: {
      noun: topic.noun,
      resource: 'other',
      effect: { refused: topic.refused, throttled: watched },
      advice: topic.advice,
    },
    evidence: attemptEvidence,
    happened: ({ severity, faults }) => `${severity === 'refused' ? tried : did} ${times(faults)}`,
  };
}

interface RuleTexts {
  readonly element: 'reach' | 'listen';
  /** Words for a refusal, and for what was only reported: a number of times follows. */
  readonly tried: string;
  readonly did: string;
  readonly topic: Pick<Topic, 'noun' | 'advice'> & { readonly refused: string };
}

const noneLeft = 'None of it left: the program saw "Operation not permitted".';

const lookAtSite =
  'Look at what changed last in the account, and at its cron jobs: whoever can write to a site can make it try this.';

const mail = rule('reach.mail', {
  element: 'reach',
  tried: 'tried to send mail directly',
  did: 'sent mail directly',
  topic: {
    noun: 'mail',
    refused: noneLeft,
    advice: `A site sends mail by the host's mail server, or by its provider's at port 587. ${lookAtSite}`,
  },
});

const tenants = rule('reach.tenants', {
  element: 'reach',
  tried: 'tried to reach services of other tenants on this host',
  did: 'reached services of other tenants on this host',
  topic: {
    noun: 'reach',
    refused: 'None of it arrived: the program saw "Operation not permitted".',
    advice: `Whoever reaches a PHP-FPM pool runs code as its tenant. If the two belong together, write <reach tenants="yes"/>. ${lookAtSite}`,
  },
});

const metadata = rule('reach.metadata', {
  element: 'reach',
  tried: "tried to reach the metadata service of the host's cloud, or a link-local address",
  did: "reached the metadata service of the host's cloud, or a link-local address",
  topic: {
    noun: 'reach',
    refused: noneLeft,
    advice: `Metadata of a cloud can have keys to all of its machines. No site needs them. ${lookAtSite}`,
  },
});

const address = rule('reach.address', {
  element: 'reach',
  tried: 'tried to reach addresses that it may not reach',
  did: 'reached addresses that it may not reach',
  topic: {
    noun: 'reach',
    refused: noneLeft,
    advice: 'If it needs one of them, add <allow address="…"/> to its <reach>.',
  },
});

const ports = rule('listen.ports', {
  element: 'listen',
  tried: 'tried to take ports that are kept for another tenant',
  did: 'took ports that are kept for another tenant',
  topic: {
    noun: 'port',
    refused: 'It did not get the port: the program saw "Operation not permitted".',
    advice: 'Have its program listen at another port, or keep ports for it: <listen ports="…"/>.',
  },
});

const inbound = rule('listen.public', {
  element: 'listen',
  tried: 'had connections from other hosts refused',
  did: 'took connections from other hosts',
  topic: {
    noun: 'port',
    refused: 'They were dropped, as if nothing listened there. Nothing else was refused.',
    advice:
      'If other hosts are to reach its programs, write <listen public="yes"/>. Ports that nobody knows of may belong to a program that should not be there.',
  },
});

export const networkIncidents: readonly IncidentKind<Attempt>[] = [
  mail,
  tenants,
  metadata,
  address,
  ports,
  inbound,
  { limit: 'network.connections', evidence: attemptEvidence },
];
