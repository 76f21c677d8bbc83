/** Whether other accounts could listen on the port to which clients send the token while the agent is down. */
import { docPage } from '../../sys/package-files.ts';
import type { StatusResponse } from '../../agent/api/status-response.ts';
import { unprivilegedPortStart } from '../../sys/sockets/unprivileged-ports.ts';
import type { AgentSettings } from '../../policy/settings.ts';

const remedy = `run bulkhead units enable, whose bulkhead.socket holds the port while the agent is down (${docPage('metrics')})`;

/** Returns the remark to print, if there is one. `status` is the running agent's, if there is one. */
export function tokenPortRemark(
  { listen, tokenFile }: AgentSettings,
  status: StatusResponse | undefined,
  proc: string,
): string | undefined {
  if (listen === undefined || tokenFile === undefined) return undefined;
  const { port } = listen;
  if (port < unprivilegedPortStart(proc)) return undefined;
  const served = status?.tcp?.port === port ? status.tcp : undefined;
  if (served?.socketActivated === true) return undefined;
  return served === undefined
    ? `No agent serves port ${port}, so it is unknown whether a service manager holds it; otherwise every account can listen on it and collect the token: ${remedy}`
    : `Every account can listen on port ${port} while the agent is down and collect the token: ${remedy}`;
}
