/**
 * The file of the person who runs a fleet's servers: their places, all private keys, and the credentials that count.
 *
 *     DIRECTORY/servers.json
 */
import { join } from 'node:path';
import { directoryProblem, pinDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import { cannotRead, decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { replaceStateFile } from '../../../../packages/base/io/replace-file.ts';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { serversMax } from '../../core/credential.ts';
import {
  formatOne,
  list,
  matching,
  name,
  object,
  text,
  whole,
  type Shape,
} from '../../core/fields.ts';
import { parseShape } from '../../core/parse.ts';
import type { FleetKeys, Revocations } from './accounts.ts';
import type { ServerPlace } from './nats-conf.ts';

/** A host's credential. */
export interface HostKey {
  readonly host: string;
  /** The public key. */
  readonly key: string;
}

export interface ServerState {
  readonly format: 1;
  readonly fleet: string;
  readonly servers: readonly ServerPlace[];
  readonly ca: string;
  readonly keys: FleetKeys;
  /** The second of the newest claims about the accounts. */
  readonly issuedSeconds: number;
  readonly hosts: readonly HostKey[];
  /** Credentials that count no longer. */
  readonly revoked: readonly RevokedKey[];
}

export interface RevokedKey {
  readonly key: string;
  /** The second in which it was revoked. */
  readonly seconds: number;
}

export const revocationsOf = ({ revoked }: ServerState): Revocations =>
  Object.fromEntries(revoked.map(({ key, seconds }) => [key, seconds]));

const hostsMax = 20_000;
const revokedMax = 100_000;
const bytesMax = 32 * 2 ** 20;

const seed = matching('a private key of NATS', (value) => /^S[AO][A-Z2-7]{56}$/.test(value));
const publicKey = matching('a public key of NATS', (value) => /^U[A-Z2-7]{55}$/.test(value));
const port = whole(1, 65_535);
const path = text(4096);

const stateShape: Shape<ServerState> = {
  format: formatOne,
  fleet: name,
  servers: list(
    object<ServerPlace>({
      name: text(255),
      address: text(255),
      listen: text(64),
      port,
      clusterPort: port,
      monitorPort: port,
      files: path,
      keyFile: path,
      data: path,
    }),
    1,
    serversMax,
  ),
  ca: text(4096),
  keys: object<FleetKeys>({
    operator: seed,
    system: seed,
    centre: seed,
    hosts: seed,
    signing: seed,
  }),
  issuedSeconds: whole(1),
  hosts: list(object<HostKey>({ host: name, key: publicKey }), 0, hostsMax),
  revoked: list(object<RevokedKey>({ key: publicKey, seconds: whole(1) }), 0, revokedMax),
};

const parseState = (document: string): Result<ServerState, Cause> =>
  parseShape('file', document, { charsMax: bytesMax, shape: stateShape });

export const serverStateFile = (directory: string): string => join(directory, 'servers.json');

export const serverStateLock = (directory: string): string => `${serverStateFile(directory)}.lock`;

/** Refuses a directory in which somebody else could put links and files: all secrets are in it. */
export function checkOwn(directory: string): Result<void, Problem> {
  const opened = pinDirectory(directory, 'refuse');
  if (!opened.ok) return opened;
  using own = opened.value;
  const cause = directoryProblem(own);
  return cause === undefined
    ? ok(undefined)
    : failed({ action: 'use', object: directory, ...cause });
}

export function readServerState(directory: string): Result<ServerState, Problem> {
  const file = serverStateFile(directory);
  const own = checkOwn(directory);
  if (!own.ok && own.error.errno !== 'ENOENT') return own;
  const bytes = readBounded(file, bytesMax);
  if (!bytes.ok)
    return bytes.error.errno === 'ENOENT'
      ? cannotRead(file, { ...bytes.error, hint: 'run "bulkhead fleet server init" first' })
      : bytes;
  const state = parseState(decodeText(bytes.value));
  return state.ok ? ok(state.value) : cannotRead(file, state.error);
}

export const writeServerState = (directory: string, state: ServerState): Result<void, Problem> =>
  replaceStateFile(serverStateFile(directory), `${JSON.stringify(state)}\n`);
