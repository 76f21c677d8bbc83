/** The process of a database server. */
import { readText } from '../../../packages/base/io/read.ts';
import { statusName, statusValue } from '../../sys/processes/process-status.ts';

const programs: ReadonlySet<string> = new Set(['mariadbd', 'mysqld', 'postgres', 'postmaster']);

/**
 * Returns the pid of the server that listens at a socket, if `listener` is one. The kernel reports the process that
 * called listen(2): for a socket of systemd, that is systemd, and the server is unknown.
 */
export function serverProcess(listener: number | undefined): number | undefined {
  if (listener === undefined) return undefined;
  const status = readText(`/proc/${listener}/status`) ?? '';
  const isServer =
    programs.has(statusName(status) ?? '') && statusValue(status, 'Uid') !== undefined;
  return isServer ? listener : undefined;
}
