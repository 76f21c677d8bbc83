/** The addresses at which the processes of a service listen. */
import { readText } from '../../../packages/base/io/read.ts';
import { linksOfOthers } from '../../sys/processes/links-of-others.ts';
import { statusValue } from '../../sys/processes/process-status.ts';
import { parseInet, parseUnix } from '../core/listening.ts';

const inet = ['tcp', 'tcp6', 'udp', 'udp6'] as const;
const processesMax = 5000;

/** Returns all processes of the service's cgroup, or its main process if the tree is elsewhere. */
export function serviceProcesses(proc: string, cgroup: string, mainPid: number): readonly string[] {
  const roots = ['/sys/fs/cgroup', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified'];
  const lists = roots.flatMap((root) => readText(`${root}${cgroup}/cgroup.procs`) ?? []);
  const pids = cgroup === '' ? [] : lists.flatMap((text) => text.split('\n').filter(Boolean));
  const known = pids.length > 0 ? pids : mainPid > 0 ? [String(mainPid)] : [];
  return [...new Set(known)]
    .slice(0, processesMax)
    .filter((pid) => readText(`${proc}/${pid}/status`));
}

export function listeningSockets(proc: string, pids: readonly string[]): ReadonlySet<string> {
  const byInode = new Map<string, string>([
    ...inet.flatMap((each) => [...parseInet(each, readText(`${proc}/net/${each}`) ?? '')]),
    ...parseUnix(readText(`${proc}/net/unix`) ?? ''),
  ]);
  // Workers of a service are tenants' processes, too.
  const byUid = Map.groupBy(pids, (pid) =>
    statusValue(readText(`${proc}/${pid}/status`) ?? '', 'Uid'),
  );
  const links = linksOfOthers(proc, byUid.values(), 'fd', ['-lname', 'socket:*']);
  return new Set(
    links.flatMap(({ target }) => byInode.get(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '') ?? []),
  );
}
