/**
 * Adds servers to one that runs alone. Everything is written before the state, so that a run that was interrupted is
 * repeated as a whole.
 */
import { existsSync } from 'node:fs';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { underLock } from '../../../sys/files/under-lock.ts';
import { readCredential } from '../nats/connect.ts';
import { makeCertificates } from './certificates.ts';
import { hostFileOf } from './hosts.ts';
import type { ServerPlace } from './nats-conf.ts';
import {
  authorityKeyFile,
  centreFile,
  inTurn,
  placeOf,
  writeConfs,
  writeCredential,
  writeDirectories,
} from './server-files.ts';
import {
  readServerState,
  serverStateLock,
  writeServerState,
  type ServerState,
} from './server-state.ts';

export interface Grown {
  readonly state: ServerState;
  /** Hosts whose file is not here any more, so that it does not name the new servers. */
  readonly without: readonly string[];
}

/** A single server can have two more: then each of three may fail. */
export const grownServers = 3;
const keyBytesMax = 65_536;

export const addServers = (
  directory: string,
  added: readonly ServerPlace[],
): Result<Grown, Problem> =>
  underLock(serverStateLock(directory), () => {
    const before = readServerState(directory);
    if (!before.ok) return before;
    const { servers, ca, hosts } = before.value;
    const reason = refusalOf(servers, added);
    if (reason !== undefined)
      return failed({ action: `add ${added.length} servers in`, object: directory, reason });
    const key = readKey(directory);
    if (!key.ok) return key;
    const authority = { certificate: ca, key: key.value };
    const signed = makeCertificates(
      authority,
      added.map(({ address }) => address),
    );
    if (!signed.ok) return signed;
    const state = { ...before.value, servers: [...servers, ...added] };
    const isHere = ({ host }: { readonly host: string }) => existsSync(hostFileOf(directory, host));
    const written = inTurn([
      () => writeDirectories(directory, { ca, servers: added, signed: signed.value }),
      () => writeConfs(directory, state),
      ...hosts.filter(isHere).map(
        ({ host }) =>
          () =>
            renew(hostFileOf(directory, host), state),
      ),
      () => renew(centreFile(directory), state),
      () => writeServerState(directory, state),
    ]);
    const without = hosts.filter((each) => !isHere(each)).map(({ host }) => host);
    return written.ok ? ok({ state, without }) : written;
  });

function refusalOf(
  servers: readonly ServerPlace[],
  added: readonly ServerPlace[],
): string | undefined {
  const twice = added.find(({ name }) => servers.some((each) => each.name === name));
  if (twice !== undefined) return `"${twice.name}" is one of its servers already`;
  if (servers.length !== 1)
    return `it has ${servers.length} servers, and only one can become three`;
  if (added.length !== grownServers - 1) return 'one server can have two more, and no other number';
  return undefined;
}

function readKey(directory: string): Result<string, Problem> {
  const file = authorityKeyFile(directory);
  const read = readBounded(file, keyBytesMax, { links: 'refuse' });
  if (read.ok) return ok(decodeText(read.value));
  if (read.error.errno !== 'ENOENT') return read;
  return failed({
    action: 'sign certificates with',
    object: file,
    reason: 'it is missing: whoever made these servers did not keep the key of their authority',
    hint: 'restore it from a backup, or make new servers in another directory',
  });
}

/** Writes the servers into a credential; its key stays. */
function renew(file: string, state: ServerState): Result<void, Problem> {
  const credential = readCredential(file);
  return credential.ok
    ? writeCredential(file, { ...credential.value, ...placeOf(state) })
    : credential;
}
