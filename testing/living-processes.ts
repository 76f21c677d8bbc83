/** The processes of this machine with their owners, from `/proc/PID/status`. */
import { readdirSync } from 'node:fs';
import { readText } from '../packages/base/io/read.ts';

interface LivingProcess {
  readonly pid: number;
  readonly name: string;
  /** The real one and the effective one. */
  readonly uid: number;
  readonly euid: number;
}

/** Returns all processes that are no zombies. */
export function livingProcesses(): readonly LivingProcess[] {
  return readdirSync('/proc').flatMap((entry): LivingProcess[] => {
    const pid = Number(entry);
    if (Number.isNaN(pid)) return [];
    const found = statusPattern.exec(readText(`/proc/${pid}/status`) ?? '');
    if (found === null) return [];
    const [, name = '', state = '', uid, euid] = found;
    return 'ZX'.includes(state) ? [] : [{ pid, name, uid: Number(uid), euid: Number(euid) }];
  });
}

const statusPattern = /^Name:\t([^\n]*)\n[^]*?^State:\t(\w)[^]*?^Uid:\t(\d+)\t(\d+)\t/m;
