/** Hosts' credentials: made without the servers, and ended on all of them. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { underLock, underLockAsync } from '../../../sys/files/under-lock.ts';
import { sendAccount } from '../nats/send-account.ts';
import { publicKeyOf, signAccounts } from './accounts.ts';
import { makeHostCredential, makeOwnCredential, nowSeconds } from './make-credential.ts';
import { placeOf, writeConfs, writeCredential } from './server-files.ts';
import {
  readServerState,
  revocationsOf,
  serverStateLock,
  writeServerState,
  type ServerState,
} from './server-state.ts';

const credentialsOf = (directory: string): string => join(directory, 'credentials');
export const hostFileOf = (directory: string, host: string): string =>
  join(credentialsOf(directory), `${host}.json`);

/** Makes the credential of a host that has none, and returns its file. */
export const addHost = (directory: string, host: string): Result<string, Problem> =>
  underLock(serverStateLock(directory), () => {
    const state = readServerState(directory);
    if (!state.ok) return state;
    const { hosts, keys } = state.value;
    if (hosts.some((each) => each.host === host))
      return failed({
        action: 'add the host',
        object: host,
        reason: 'it already has a credential',
        hint: `end that one first: "bulkhead fleet host remove ${host}"`,
      });
    const object = credentialsOf(directory);
    try {
      mkdirSync(object, { recursive: true, mode: 0o700 });
    } catch (error) {
      return failed({ action: 'create the directory', object, ...causeOf(error) });
    }
    const { credential, key } = makeHostCredential(placeOf(state.value), keys, host);
    // First: a credential that is not in the list could not be ended.
    const added = { ...state.value, hosts: [...hosts, { host, key }] };
    const listed = writeServerState(directory, added);
    if (!listed.ok) return listed;
    const file = hostFileOf(directory, host);
    const written = writeCredential(file, credential);
    return written.ok ? ok(file) : written;
  });

export interface RemovedHost {
  /** Servers that have ended it. */
  readonly servers: number;
  /** All servers. */
  readonly of: number;
}

/** Ends a host's credential: first in the files, and then on the servers that answer. It can be repeated. */
export const removeHost = (
  directory: string,
  host: string,
): Promise<Result<RemovedHost, Problem>> =>
  underLockAsync(serverStateLock(directory), async () => {
    const before = readServerState(directory);
    if (!before.ok) return before;
    const key = before.value.hosts.find((each) => each.host === host)?.key;
    if (key === undefined)
      return failed({ action: 'remove the host', object: host, reason: 'it has no credential' });
    const state = revoked(before.value, key);
    const written = writeServerState(directory, state);
    if (!written.ok) return written;
    const confs = writeConfs(directory, state);
    if (!confs.ok) return confs;
    const sent = await sendTo(state);
    if (!sent.ok) return sent;
    const hosts = state.hosts.filter((each) => each.host !== host);
    const done = writeServerState(directory, { ...state, hosts });
    rmSync(hostFileOf(directory, host), { force: true });
    return done.ok ? ok({ servers: sent.value, of: state.servers.length }) : done;
  });

function revoked(state: ServerState, key: string): ServerState {
  // Of two claims of the same second, a server could keep the older one.
  const issuedSeconds = Math.max(nowSeconds(), state.issuedSeconds + 1);
  const others = state.revoked.filter((each) => each.key !== key);
  return { ...state, issuedSeconds, revoked: [...others, { key, seconds: issuedSeconds }] };
}

function sendTo(state: ServerState): Promise<Result<number, Problem>> {
  const { keys, issuedSeconds } = state;
  const { accounts } = signAccounts(keys, revocationsOf(state), issuedSeconds);
  const system = makeOwnCredential(placeOf(state), keys, 'system');
  return sendAccount(system, accounts[publicKeyOf(keys.hosts)] ?? '');
}
