/**
 * The groups of the web servers that run: of the workers that a master of root's has started.
 *
 * Workers with a tenant's account do not count, as with mpm_itk: a group of theirs would let that tenant in. A tenant may
 * start a set-user-ID program under any title, so that only the program's file tells what a process is.
 */
import { basename } from 'node:path';
import { linkAt, namesIn, readText } from '../../../packages/base/io/read.ts';
import { statusValue } from '../../sys/processes/process-status.ts';

const programs = /^(?:nginx|openresty|angie|apache2|httpd|lshttpd|litespeed|openlitespeed)\b/;
const nobody = 65_534;
/** The group `users`, in which tenants may be. */
const users = 100;

export interface WebGroups {
  /** The groups with which workers run; nginx's first, which is in front where there are several. */
  readonly main: readonly number[];
  /** Also the other groups that workers are in. */
  readonly all: ReadonlySet<number>;
}

interface Process {
  readonly pid: string;
  readonly parent: string;
  readonly uid: number;
  readonly status: string;
  readonly program: string;
}

/** Only root can tell: for others there are none. `uidMin`: accounts below belong to the system. */
export function runningWebGroups(proc: string, uidMin: number): WebGroups {
  const isSystems = (id: number) => id > 0 && id !== users && (id < uidMin || id === nobody);
  const here = linkAt(`${proc}/self/ns/pid`);
  const processes = namesIn(proc)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => serverProcess(proc, pid) ?? []);
  const masters = new Set(
    processes
      .filter(({ pid, uid }) => uid === 0 && linkAt(`${proc}/${pid}/ns/pid`) === here)
      .map(({ pid, program }) => `${pid} ${program}`),
  );
  const workers = processes
    .filter(({ parent, uid, program }) => isSystems(uid) && masters.has(`${parent} ${program}`))
    .sort((a, b) => Number(b.program.includes('nginx')) - Number(a.program.includes('nginx')));
  const main = workers.map(({ status }) => idsIn(status, 'Gid')[1] ?? 0).filter(isSystems);
  const others = workers.flatMap(({ status }) => idsIn(status, 'Groups')).filter(isSystems);
  return { main: [...new Set(main)], all: new Set([...main, ...others]) };
}

function serverProcess(proc: string, pid: string): Process | undefined {
  const program = linkAt(`${proc}/${pid}/exe`).replace(/ \(deleted\)$/, '');
  if (!programs.test(basename(program))) return undefined;
  const status = readText(`${proc}/${pid}/status`) ?? '';
  const uids = idsIn(status, 'Uid');
  const [uid] = uids;
  if (uid === undefined || uids.some((each) => each !== uid)) return undefined;
  return { pid, parent: statusValue(status, 'PPid') ?? '', uid, status, program };
}

const idsIn = (status: string, key: string): readonly number[] =>
  (statusValue(status, key) ?? '')
    .split(/\s+/)
    .flatMap((each) => (each === '' ? [] : Number(each)));
