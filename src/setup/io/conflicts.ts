/** Reasons why nothing can be set up here, found before anything is changed. */
import type { Cause } from '../../../packages/base/problem.ts';
import { agentLock, type Paths } from '../../host/paths.ts';
import { agentSocket, agentUnit, isActive } from '../../host/systemd/own-units.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import type { AgentSettings } from '../../policy/settings.ts';
import { xmlAttribute } from '../../policy/xml.ts';
import { isLocked } from '../../sys/files/flock.ts';

const { connect, createServer } = process.getBuiltinModule('node:net');

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
  if (isLocked(agentLock(paths)) || (await isOurs())) return [];
  const tried = await Promise.all(
    agentSockets(paths).map(async (each) => ((await isFree(each)) ? [] : [each])),
  );
  const taken = tried.flat();
  const hint = 'end it first: an agent that was started by hand, or another program';
  const sockets = taken.map((each) => ({ reason: `another program listens at ${each}`, hint }));
  const port = listen === undefined ? undefined : await portConflict(listen);
  return port === undefined ? sockets : [...sockets, port];
}

/** The sockets at which the agent answers, and to which web servers report refused requests. */
const agentSockets = ({ runtime }: Paths) => [`${runtime}/control.sock`, `${runtime}/web.sock`];

async function isOurs(): Promise<boolean> {
  for (const unit of [agentUnit, agentSocket]) if (await isActive(unit)) return true;
  return false;
}

/**
 * Whether nobody listens at a path. /proc/net/unix cannot tell: it also has the paths of sockets that a tenant has bound in
 * a mount namespace of its own.
 */
function isFree(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => settle(false));
    const settle = (free: boolean) => {
      socket.destroy();
      resolve(free);
    };
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      settle(code === 'ENOENT' || code === 'ECONNREFUSED'),
    );
  });
}

async function portConflict({
  host,
  port,
}: NonNullable<AgentSettings['listen']>): Promise<Cause | undefined> {
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
