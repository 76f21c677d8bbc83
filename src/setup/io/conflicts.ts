/** Reasons why nothing can be set up here, found before anything is changed. */
import type { Cause } from '../../../packages/base/problem.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { agentLock, type Paths } from '../../host/paths.ts';
import { agentSocket, agentUnit, isActive } from '../../host/systemd/own-units.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import type { AgentSettings } from '../../policy/settings.ts';
import { xmlAttribute } from '../../policy/xml.ts';
import { isLocked } from '../../sys/files/flock.ts';

const { createServer } = process.getBuiltinModule('node:net');

/** Returns the reason if the policy is written for a newer Bulkhead. */
export function versionConflict({ file, root }: PolicyDocument): Cause | undefined {
  const version = xmlAttribute(root, 'version')?.value;
  if (version === undefined || version === '1') return undefined;
  return {
    reason: `${file} has version "${version}" of the policy language, and this Bulkhead knows "1"`,
    hint: 'install the Bulkhead that wrote it, or move the file away',
  };
}

/** Returns the reasons if other programs listen where the agent will. */
export async function listenConflicts(
  paths: Paths,
  listen: AgentSettings['listen'],
): Promise<readonly Cause[]> {
  if (isLocked(agentLock(paths))) return [];
  const bound = boundPaths(readText(`${paths.proc}/net/unix`) ?? '');
  const taken = agentSockets(paths).filter((each) => bound.has(each));
  const hint = 'end it first: an agent that was started by hand, or another program';
  const sockets = taken.map((each) => ({ reason: `another program listens at ${each}`, hint }));
  const port = listen === undefined ? undefined : await portConflict(listen);
  return port === undefined ? sockets : [...sockets, port];
}

/** The sockets at which the agent answers, and to which web servers report refused requests. */
const agentSockets = ({ runtime }: Paths) => [`${runtime}/control.sock`, `${runtime}/web.sock`];

/** Parses `0000…000: 00000002 00000000 00010000 0001 01 24211 /run/bulkhead/control.sock`. Source: unix(7). */
const boundPaths = (text: string): ReadonlySet<string> =>
  new Set(text.split('\n').flatMap((line) => /^(?:\S+ +){7}(\/.*)$/.exec(line)?.[1] ?? []));

async function portConflict({
  host,
  port,
}: NonNullable<AgentSettings['listen']>): Promise<Cause | undefined> {
  for (const unit of [agentUnit, agentSocket]) if (await isActive(unit)) return undefined;
  if (!(await isTaken(host, port))) return undefined;
  return {
    reason: `another program listens on ${host} port ${port}, the port of <agent listen="…">`,
    hint: 'end it, or change the port in the policy',
  };
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EADDRINUSE'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(false)));
  });
}
