/** The addresses at which the processes of a service listen. */
import { readdirSync, readlinkSync } from 'node:fs';
import { readText } from '../../sys/files/read.ts';
import { parseInet, parseUnix } from '../core/listening.ts';

const inet = ['tcp', 'tcp6', 'udp', 'udp6'] as const;
const processesMax = 5000;

/** Returns all processes of the service's cgroup, or its main process if the tree is elsewhere. */
export function processesOf(proc: string, cgroup: string, mainPid: number): readonly string[] {
  const roots = ['/sys/fs/cgroup', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified'];
  const lists = roots.flatMap((root) => readText(`${root}${cgroup}/cgroup.procs`) ?? []);
  const pids = cgroup === '' ? [] : lists.flatMap((text) => text.split('\n').filter(Boolean));
  const known = pids.length > 0 ? pids : mainPid > 0 ? [String(mainPid)] : [];
  return [...new Set(known)]
    .slice(0, processesMax)
    .filter((pid) => readText(`${proc}/${pid}/stat`));
}

export function listeningSockets(proc: string, pids: readonly string[]): ReadonlySet<string> {
  const byInode = new Map<string, string>([
    ...inet.flatMap((each) => [...parseInet(each, readText(`${proc}/net/${each}`) ?? '')]),
    ...parseUnix(readText(`${proc}/net/unix`) ?? ''),
  ]);
  const found = new Set<string>();
  for (const pid of pids)
    for (const inode of socketsOf(`${proc}/${pid}/fd`)) {
      const address = byInode.get(inode);
      if (address !== undefined) found.add(address);
    }
  return found;
}

/** Returns the sockets; none for a process that has ended meanwhile. */
function socketsOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).flatMap((fd) => inodeOf(`${directory}/${fd}`));
  } catch {
    return [];
  }
}

function inodeOf(path: string): readonly string[] {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
    return inode === undefined ? [] : [inode];
  } catch {
    return [];
  }
}
