/** Connects to the servers of a fleet. */
import {
  connect,
  jwtAuthenticator,
  type ConnectionOptions,
  type NatsConnection,
} from '@nats-io/transport-node';
import { cannotRead, decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { credentialCharsMax, parseCredential, type Credential } from '../../core/credential.ts';
import { inboxPrefix } from '../../core/subjects.ts';

/** Reads the file that `bulkhead fleet host add` or `server init` has written. */
export function readCredential(file: string): Result<Credential, Problem> {
  const bytes = readBounded(file, credentialCharsMax);
  if (!bytes.ok) return bytes;
  const credential = parseCredential(decodeText(bytes.value));
  return credential.ok ? credential : cannotRead(file, credential.error);
}

/**
 * Connects to one of the servers, over TLS only. Throws the client's errors. The client would go on in plain text if a
 * server says so before TLS, so nothing is read before it.
 */
export const connectWith = (
  { role, name, servers, ca, jwt, seed }: Credential,
  options: ConnectionOptions = {},
): Promise<NatsConnection> =>
  connect({
    name,
    // Each connection of the centre hears its own answers only.
    inboxPrefix: role === 'host' ? inboxPrefix(name) : inboxPrefix(role),
    // Addresses that servers tell of others do not count: names are in the certificates.
    ignoreClusterUpdates: true,
    ...options,
    servers: options.servers ?? [...servers],
    tls: { ca, handshakeFirst: true },
    authenticator: jwtAuthenticator(jwt, new TextEncoder().encode(seed)),
  });

/** Returns the reason that the client gives for a failed connection or request. */
export function causeOfNats(error: unknown): Cause {
  const { message, cause } = error as Error;
  const more = cause instanceof Error && cause.message !== message ? `: ${cause.message}` : '';
  return { reason: `${message}${more}` };
}

const connectTimeoutMs = 10_000;

/** Connects for one command: to any of the servers, without coming back when it is lost. */
export async function connectOnce(
  credential: Credential,
): Promise<Result<NatsConnection, Problem>> {
  try {
    return ok(await connectWith(credential, { reconnect: false, timeout: connectTimeoutMs }));
  } catch (error) {
    const object = credential.servers.join(' ');
    return failed({ action: 'connect to', object, ...causeOfNats(error) });
  }
}
