/**
 * The accounts on a fleet's servers. The centre's has the streams. The hosts' has none, and imports exactly what a host
 * may do: servers acknowledge to any subject that a client names, so a client next to the streams could write to
 * others' subjects by it.
 */
import { createAccount, createOperator, fromSeed, type KeyPair } from '@nats-io/nkeys';
import {
  askSubject,
  hostHears,
  hostMessageBytesMax,
  hostPublishes,
  inboxPrefix,
} from '../../core/subjects.ts';
import { signClaims } from './jwt.ts';

/** The private keys of a fleet's servers, in the form of NATS. */
export interface FleetKeys {
  readonly operator: string;
  readonly system: string;
  readonly centre: string;
  readonly hosts: string;
  /** Signs hosts' credentials, and can give them the rights of a host only. */
  readonly signing: string;
}

export const seedOf = (pair: KeyPair): string => new TextDecoder().decode(pair.getSeed());
export const keyOf = (seed: string): KeyPair => fromSeed(new TextEncoder().encode(seed));
export const publicKeyOf = (seed: string): string => keyOf(seed).getPublicKey();

export function makeKeys(): FleetKeys {
  const account = () => seedOf(createAccount());
  return {
    operator: seedOf(createOperator()),
    system: account(),
    centre: account(),
    hosts: account(),
    signing: account(),
  };
}

/** Keys of hosts' credentials that count no longer, with the second until which they were made. */
export type Revocations = Readonly<Record<string, number>>;

/** The signed claims about the fleet's accounts, by their public keys. */
export interface SignedAccounts {
  readonly operator: string;
  readonly systemAccount: string;
  readonly accounts: Readonly<Record<string, string>>;
}

export function signAccounts(
  keys: FleetKeys,
  revocations: Revocations,
  issuedSeconds: number,
): SignedAccounts {
  const operator = keyOf(keys.operator);
  const [system, centre, hosts] = [keys.system, keys.centre, keys.hosts].map(publicKeyOf) as [
    string,
    string,
    string,
  ];
  const account = (sub: string, name: string, nats: object) =>
    signClaims(operator, { sub, name, nats: { ...nats, ...accountForm } }, issuedSeconds);
  return {
    operator: signClaims(
      operator,
      {
        sub: operator.getPublicKey(),
        name: 'OPERATOR',
        nats: { system_account: system, type: 'operator', version: 2 },
      },
      issuedSeconds,
    ),
    systemAccount: system,
    accounts: {
      [system]: account(system, 'SYSTEM', { limits: limitsOf({}) }),
      [centre]: account(centre, 'CENTRE', {
        limits: limitsOf(streams),
        exports: exported(),
        imports: asking(hosts),
      }),
      [hosts]: account(hosts, 'HOSTS', {
        limits: limitsOf({ conn: hostConnectionsMax }),
        imports: imported(centre),
        exports: [asked],
        signing_keys: [
          {
            kind: 'user_scope',
            key: publicKeyOf(keys.signing),
            role: 'host',
            template: hostTemplate,
          },
        ],
        revocations,
      }),
    },
  };
}

const accountForm = { default_permissions: { pub: {}, sub: {} }, type: 'account', version: 2 };
const unlimited = -1;
/** Connections of all hosts: a server has room for more, which is the centre's. */
const hostConnectionsMax = 20_000;
const streams = {
  mem_storage: unlimited,
  disk_storage: unlimited,
  streams: unlimited,
  consumer: unlimited,
};

/** Nothing of leaf nodes: they would import what a client may not. */
const limitsOf = (more: object) => ({
  subs: unlimited,
  data: unlimited,
  payload: unlimited,
  imports: unlimited,
  exports: unlimited,
  wildcards: true,
  conn: unlimited,
  leaf: 0,
  ...more,
});

const shared = [
  ...hostPublishes('*').map((subject) => ({ subject, type: 'service' })),
  ...hostHears('*').map((subject) => ({ subject, type: 'stream' })),
].map((each) => ({ name: each.subject, ...each }));
const exported = () => shared;
const imported = (account: string) => shared.map((each) => ({ ...each, account }));

const asked = { name: askSubject('*'), subject: askSubject('*'), type: 'service' };
const asking = (account: string) => [{ ...asked, account }];

const ownName = '{{name()}}';
/** Subscriptions of one connection. A courier has a few. */
const subscriptionsMax = 20;
/** The time in which a question can be answered. */
const answerNanoseconds = 60e9;

/** The rights of each host. The server puts the name in its credential for the template. */
const hostTemplate = {
  pub: { allow: hostPublishes(ownName) },
  sub: { allow: [`${inboxPrefix(ownName)}.>`, ...hostHears(ownName), askSubject(ownName)] },
  // The only subject that a host does not name itself: that of whoever asked it.
  resp: { max: 1, ttl: answerNanoseconds },
  subs: subscriptionsMax,
  data: unlimited,
  payload: hostMessageBytesMax,
  allowed_connection_types: ['STANDARD'],
};
