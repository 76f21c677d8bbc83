/** Verifies what a host has signed. Whose key it is decides whoever has seen the key before. */
import { createPublicKey, verify } from 'node:crypto';
import { signedBytes, type HostNamespace, type SignedByHost } from '../../core/told/signed.ts';

export function isSignedByHost(namespace: HostNamespace, signed: SignedByHost): boolean {
  try {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: signed.key };
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const signature = Buffer.from(signed.signature, 'base64url');
    return verify(null, signedBytes(namespace, signed.document), key, signature);
  } catch {
    return false;
  }
}
