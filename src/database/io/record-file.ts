/** The records of servers and of numbers of connections, in a directory that only root enters. */
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { removeFile, replaceFile } from '../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../host/paths.ts';
import { lockFile, type FileLock } from '../../sys/files/flock.ts';
import { ensurePrivateDirectory } from '../../sys/files/private-file.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import {
  formatNumbers,
  formatServers,
  parseNumbers,
  parseServers,
  recordRowsMax,
  type EnabledServer,
  type KeptNumber,
} from '../core/rights/record.ts';

type State = Pick<Paths, 'state'>;

const lockWaitMs = 10_000;
const format = {
  bytesMax: 64 * 2 ** 20,
  decode: (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8')),
};

const directoryOf = ({ state }: State) => `${state}/database`;
const serversFile = (paths: State): string => `${directoryOf(paths)}/servers.json`;
export const numbersFile = (paths: State): string => `${directoryOf(paths)}/numbers.json`;

/** Locks from reading a record to the last change in a server. The thread sleeps while another process has the lock. */
export function lockDatabases(paths: State, waitMs = lockWaitMs): Result<FileLock, Problem> {
  const directory = ensurePrivateDirectory(directoryOf(paths));
  if (!directory.ok) return directory;
  return lockFile(`${directoryOf(paths)}/.lock`, { waitMs });
}

/** Returns the servers in which Bulkhead has rights; none before the first `db enable`. */
export const readServers = (paths: State): Result<readonly EnabledServer[], Problem> =>
  readRows(serversFile(paths), parseServers);

export const readNumbers = (paths: State): Result<readonly KeptNumber[], Problem> =>
  readRows(numbersFile(paths), parseNumbers);

/** Writes the record, or removes it with its last row. The caller has the lock. */
export const writeServers = (
  paths: State,
  servers: readonly EnabledServer[],
): Result<void, Problem> =>
  servers.length === 0
    ? removeFile(serversFile(paths))
    : replaceFile(serversFile(paths), formatServers(servers), 0o600);

export function writeNumbers(paths: State, numbers: readonly KeptNumber[]): Result<void, Problem> {
  const path = numbersFile(paths);
  if (numbers.length === 0) return removeFile(path);
  if (numbers.length > recordRowsMax)
    return failed({
      action: 'note the numbers of connections that accounts had before',
      object: path,
      reason: `there are ${numbers.length}, more than the ${recordRowsMax} that it can hold`,
      hint: 'limit connections of fewer tenants; numbers of other accounts stay as they are',
    });
  return replaceFile(path, formatNumbers(numbers), 0o600);
}

function readRows<T>(
  path: string,
  parse: (text: string) => Result<readonly T[], Cause>,
): Result<readonly T[], Problem> {
  const read = readTextFile(path, format, 'trusted');
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok([]) : read;
  const parsed = parse(read.value);
  return parsed.ok ? parsed : failed({ ...parsed.error, action: 'use the record', object: path });
}
