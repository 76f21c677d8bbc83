/**
 * A file with which a host's courier, or the centre, connects to the servers of a fleet. It is a secret.
 *
 *     {"format":1,"fleet":"example","role":"host","name":"web-017","servers":["tls://nats-1.example.org:4222"],…}
 */
import type { Cause } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { formatOne, list, matching, name, oneOf, text, type Shape } from './fields.ts';
import { parseShape } from './parse.ts';

/** The use of a credential: `centre` may use all streams, `system` may look at servers and end credentials. */
export type CredentialRole = 'host' | 'centre' | 'system';

export interface Credential {
  readonly format: 1;
  readonly fleet: string;
  readonly role: CredentialRole;
  /** The host, or the role. */
  readonly name: string;
  /** Addresses such as `tls://nats-1.example.org:4222`. */
  readonly servers: readonly string[];
  /** The certificate of the authority that signed the servers, as PEM. */
  readonly ca: string;
  readonly jwt: string;
  /** The private key, in the form of NATS. */
  readonly seed: string;
}

export const serversMax = 5;
const pemCharsMax = 4096;
const jwtCharsMax = 4096;
export const credentialCharsMax: number = 16 * 2 ** 10;

const serverPattern = /^tls:\/\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?:([1-9]\d{0,4})$/;

function isServer(address: string): boolean {
  const [, , port] = serverPattern.exec(address) ?? [];
  return port !== undefined && Number(port) <= portMax;
}

const portMax = 65_535;

const credentialShape: Shape<Credential> = {
  format: formatOne,
  fleet: name,
  role: oneOf(['host', 'centre', 'system']),
  name,
  servers: list(
    matching('an address like "tls://nats-1.example.org:4222"', isServer),
    1,
    serversMax,
  ),
  ca: text(pemCharsMax),
  jwt: text(jwtCharsMax),
  seed: matching('a private key of NATS', (value) => /^SU[A-Z2-7]{56}$/.test(value)),
};

export const parseCredential = (document: string): Result<Credential, Cause> =>
  parseShape('credential', document, { charsMax: credentialCharsMax, shape: credentialShape });

export const credentialText = (credential: Credential): string => `${JSON.stringify(credential)}\n`;
