/**
 * Writes all that a fleet's servers need: a directory for each, to be copied there, and the centre's credential.
 *
 *     DIRECTORY/servers.json                       everything secret, for the commands of `fleet server` and `fleet host`
 *     DIRECTORY/ca.key                             the key of the servers' authority, for further servers
 *     DIRECTORY/centre.json                        the credential of the centre
 *     DIRECTORY/servers/nats-1.example.org/        what the server has in /etc/bulkhead-fleet-nats
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { replaceFile, replaceStateFile } from '../../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { credentialText, type Credential } from '../../core/credential.ts';
import { makeKeys, signAccounts } from './accounts.ts';
import { makeAuthority, makeCertificates, type ServerCertificate } from './certificates.ts';
import { makeOwnCredential, nowSeconds, type CredentialPlace } from './make-credential.ts';
import { natsConf, type ServerPlace } from './nats-conf.ts';
import { checkOwn, revocationsOf, writeServerState, type ServerState } from './server-state.ts';
import { natsUnits } from './nats-units.ts';

export const centreFile = (directory: string): string => join(directory, 'centre.json');
export const authorityKeyFile = (directory: string): string => join(directory, 'ca.key');
const serverDirectory = (directory: string, { name }: ServerPlace) =>
  join(directory, 'servers', name);

/** Makes keys and certificates, and writes all files. The state is last: with it, the directory has servers. */
export function writeServers(
  directory: string,
  fleet: string,
  servers: readonly ServerPlace[],
): Result<ServerState, Problem> {
  const own = inTurn([() => makeOwn(directory, 0o700), () => checkOwn(directory)]);
  if (!own.ok) return own;
  const authority = makeAuthority();
  if (!authority.ok) return authority;
  const addresses = servers.map(({ address }) => address);
  const signed = makeCertificates(authority.value, addresses);
  if (!signed.ok) return signed;
  const { certificate: ca, key } = authority.value;
  const state: ServerState = {
    format: 1,
    fleet,
    servers,
    ca,
    keys: makeKeys(),
    issuedSeconds: nowSeconds(),
    hosts: [],
    revoked: [],
  };
  const written = inTurn([
    () => writeDirectories(directory, { ca, servers, signed: signed.value }),
    () => replaceStateFile(authorityKeyFile(directory), key),
    () => writeConfs(directory, state),
    () =>
      writeCredential(
        centreFile(directory),
        makeOwnCredential(placeOf(state), state.keys, 'centre'),
      ),
    () => writeServerState(directory, state),
  ]);
  return written.ok ? ok(state) : written;
}

interface ServerParts {
  readonly ca: string;
  readonly servers: readonly ServerPlace[];
  /** One for each server, in their order. */
  readonly signed: readonly ServerCertificate[];
}

/** Writes the directory of each server, but for its nats.conf. */
export function writeDirectories(
  directory: string,
  { ca, servers, signed }: ServerParts,
): Result<void, Problem> {
  return inTurn(
    servers.map((server, index) => () => {
      const { certificate = '', key = '' } = signed[index] ?? {};
      const to = serverDirectory(directory, server);
      const files = { 'ca.pem': ca, 'tls.pem': certificate, ...natsUnits(server) };
      return inTurn([
        () => makeOwn(join(directory, 'servers'), 0o700),
        // The server's own account reads the copy; only the key in it is secret.
        () => makeOwn(to, 0o755),
        ...Object.entries(files).map(
          ([name, text]) =>
            () =>
              replaceFile(join(to, name), text),
        ),
        () => replaceStateFile(join(to, 'tls.key'), key),
      ]);
    }),
  );
}

/** Writes nats.conf of each server, with the newest claims about accounts. */
export function writeConfs(directory: string, state: ServerState): Result<void, Problem> {
  const { fleet, keys, servers, issuedSeconds } = state;
  const accounts = signAccounts(keys, revocationsOf(state), issuedSeconds);
  return inTurn(
    servers.map((server) => () => {
      const file = join(serverDirectory(directory, server), 'nats.conf');
      return replaceFile(file, natsConf(fleet, server, servers, accounts));
    }),
  );
}

export const placeOf = ({ fleet, ca, servers }: ServerState): CredentialPlace => ({
  fleet,
  ca,
  servers: servers.map(({ address, port }) => `tls://${address}:${port}`),
});

export const writeCredential = (file: string, credential: Credential): Result<void, Problem> =>
  replaceStateFile(file, credentialText(credential));

/** Runs steps up to the first that fails. */
export function inTurn(steps: readonly (() => Result<void, Problem>)[]): Result<void, Problem> {
  for (const step of steps) {
    const done = step();
    if (!done.ok) return done;
  }
  return ok(undefined);
}

/** Makes a directory with those above it, whatever the umask is. */
function makeOwn(object: string, mode: number): Result<void, Problem> {
  try {
    // Whoever made a directory that is there chose its mode.
    if (mkdirSync(object, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(object, mode);
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'create the directory', object, ...causeOf(error) });
  }
}
