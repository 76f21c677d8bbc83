/** Makes the credentials with which hosts and the centre connect. */
import { createUser } from '@nats-io/nkeys';
import type { Credential, CredentialRole } from '../../core/credential.ts';
import { keyOf, publicKeyOf, seedOf, type FleetKeys } from './accounts.ts';
import { signClaims } from './jwt.ts';

export interface MadeCredential {
  readonly credential: Credential;
  /** The public key, by which it can be ended. */
  readonly key: string;
}

/** The part that all credentials of a fleet share. */
export type CredentialPlace = Pick<Credential, 'fleet' | 'servers' | 'ca'>;

export function makeHostCredential(
  place: CredentialPlace,
  keys: FleetKeys,
  host: string,
): MadeCredential {
  const claims = { issuer_account: publicKeyOf(keys.hosts), type: 'user', version: 2 };
  return make(place, keys.signing, { role: 'host', name: host, claims });
}

export function makeOwnCredential(
  place: CredentialPlace,
  keys: FleetKeys,
  role: Exclude<CredentialRole, 'host'>,
): Credential {
  const claims = { pub: {}, sub: {}, subs: -1, data: -1, payload: -1, type: 'user', version: 2 };
  return make(place, keys[role], { role, name: role, claims }).credential;
}

interface User {
  readonly role: CredentialRole;
  readonly name: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

function make(place: CredentialPlace, issuer: string, { role, name, claims }: User) {
  const user = createUser();
  const key = user.getPublicKey();
  const jwt = signClaims(keyOf(issuer), { sub: key, name, nats: claims }, nowSeconds());
  const credential: Credential = { format: 1, ...place, role, name, jwt, seed: seedOf(user) };
  return { credential, key };
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);
