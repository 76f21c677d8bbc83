/** Incidents of tenants at their limits and rules on the network, in plain words. */
import type { Topic } from '../../usage/causes/incident-topics.ts';
import type { IncidentKind } from '../../usage/incident-kind.ts';
import { times } from '../../usage/numbers.ts';
import { attemptEvidence, type Attempt } from './attempts.ts';
import type { NetworkRefusalKind } from './use.ts';

const watched = 'The rule only watches (mode="watch"): nothing was refused.';

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
      because: `against the rules of its <${element}>`,
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

const noneLeft =
  'Nothing of it left this host: the program got the error "Operation not permitted".';

const lookAtSite =
  'Look at what changed last in the account, and at its cron jobs: anybody who can write to a site can make it do this.';

const mail = rule('reach.mail', {
  element: 'reach',
  tried: 'tried to send mail directly',
  did: 'sent mail directly',
  topic: {
    noun: 'mail',
    refused: noneLeft,
    advice: `Sites should send mail through the mail server of this host, or through their provider's at port 587. ${lookAtSite}`,
  },
});

const tenants = rule('reach.tenants', {
  element: 'reach',
  tried: 'tried to connect to services of other tenants on this host',
  did: 'connected to services of other tenants on this host',
  topic: {
    noun: 'reach',
    refused: 'None of it arrived: the program got the error "Operation not permitted".',
    advice: `Anybody who reaches a PHP-FPM pool can run code as its tenant. If the two accounts belong together, allow it with <reach tenants="yes"/>. ${lookAtSite}`,
  },
});

const metadata = rule('reach.metadata', {
  element: 'reach',
  tried: 'tried to connect to a metadata service of the cloud, or to a link-local address',
  did: 'connected to a metadata service of the cloud, or to a link-local address',
  topic: {
    noun: 'reach',
    refused: noneLeft,
    advice: `A metadata service can give out keys to all machines of its customer. No site needs it. ${lookAtSite}`,
  },
});

const address = rule('reach.address', {
  element: 'reach',
  tried: 'tried to connect to addresses that its policy refuses',
  did: 'connected to addresses that its policy would refuse',
  topic: {
    noun: 'reach',
    refused: noneLeft,
    advice: 'If it needs one of them, add <allow address="…"/> to its <reach>.',
  },
});

const ports = rule('listen.ports', {
  element: 'listen',
  tried: 'tried to open ports that are kept for another tenant',
  did: 'opened ports that are kept for another tenant',
  topic: {
    noun: 'port',
    refused: 'It did not get the port: the program got the error "Operation not permitted".',
    advice: 'Let its program listen at another port, or keep ports for it: <listen ports="…"/>.',
  },
});

const inbound = rule('listen.public', {
  element: 'listen',
  tried: 'had connections from other hosts refused',
  did: 'accepted connections from other hosts',
  topic: {
    noun: 'port',
    refused: 'The connections were dropped without an answer: they timed out.',
    advice:
      'If other hosts should reach its programs, write <listen public="yes"/>. A port that nobody knows may belong to a program that should not run there.',
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
