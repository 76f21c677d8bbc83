/**
 * Claims signed for NATS. Source: the server's JWT version 2, https://docs.nats.io/reference/reference-protocols/nats-protocol.
 */
import { createHash } from 'node:crypto';
import type { KeyPair } from '@nats-io/nkeys';

export interface Claims {
  readonly sub: string;
  readonly name: string;
  readonly nats: Readonly<Record<string, unknown>>;
}

const encode = (text: string | Uint8Array) => Buffer.from(text).toString('base64url');
const header = encode('{"typ":"JWT","alg":"ed25519-nkey"}');

/** Returns the claims with the issuer's signature. Of two about one account, servers keep the one with the later second. */
export function signClaims(issuer: KeyPair, claims: Claims, issuedSeconds: number): string {
  const dated = { ...claims, iss: issuer.getPublicKey(), iat: issuedSeconds };
  const jti = createHash('sha256').update(JSON.stringify(dated)).digest('hex');
  const signed = `${header}.${encode(JSON.stringify({ jti, ...dated }))}`;
  return `${signed}.${encode(issuer.sign(Buffer.from(signed)))}`;
}
