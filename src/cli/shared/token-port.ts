/** Whether an account of this host could listen where clients send the token, once the agent is down. */
import type { StatusResponse } from '../../agent/api/api.ts';
import { unprivilegedPortStart } from '../../sys/sockets/unprivileged-ports.ts';
import type { AgentSettings } from '../../policy/settings.ts';

const remedy =
  'enable bulkhead.socket, which keeps the port while the agent is down (docs/metrics.md)';

/** What to say about it; nothing where all is well. `status` of the agent that runs, if one does. */
export function tokenPortRemark(
  { listen, tokenFile }: AgentSettings,
  status: StatusResponse | undefined,
  proc: string,
): string | undefined {
  if (listen === undefined || tokenFile === undefined) return undefined;
  const { port } = listen;
  if (port < unprivilegedPortStart(proc)) return undefined;
  const served = status?.tcp?.port === port ? status.tcp : undefined;
  if (served?.kept === true) return undefined;
  return served === undefined
    ? `No agent answers that serves port ${port}, so it is unknown whether a service manager keeps it; every account can listen on it otherwise, and collect the token: ${remedy}`
    : `Every account can listen on port ${port} while the agent is down, and collect the token: ${remedy}`;
}
