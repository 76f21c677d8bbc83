/**
 * The work of a master and its workers, as the kernel counts it.
 *
 *     445148 (php-fpm8.4) S 1 … minflt cminflt majflt cmajflt …          /proc/PID/stat
 *     43 0xb 0x7ffe082e61c0 …                                            /proc/PID/syscall: it waits in accept
 *
 * Source: proc(5); fcgi_accept_request() of fastcgi.c, where a worker without a request is.
 */
import { readText } from '../../../../sys/files/read.ts';
import { statusValue } from '../../../../sys/processes/process-status.ts';
import { workText, type Worker } from '../../../core/fpm/service/idle.ts';

/** accept and accept4. Source: the kernel's tables of system calls. */
const accepting = new Set(process.arch === 'x64' ? ['43', '288'] : ['202', '242']);

/** Returns nothing if a worker is busy or cannot be read: then the master goes on. */
export function workOf(pid: number, proc = '/proc'): string | undefined {
  const master = statOf(pid, proc);
  const children = readText(`${proc}/${pid}/task/${pid}/children`);
  if (master === undefined || children === undefined) return undefined;
  const workers: Worker[] = [];
  for (const child of children.trim().split(' ').filter(Boolean).map(Number)) {
    const worker = workerAt(child, proc);
    if (worker === undefined) return undefined;
    workers.push(worker);
  }
  return workText(master, workers);
}

function workerAt(pid: number, proc: string): Worker | undefined {
  const stat = statOf(pid, proc);
  const waits = statusValue(readText(`${proc}/${pid}/status`) ?? '', 'voluntary_ctxt_switches');
  const call = readText(`${proc}/${pid}/syscall`);
  if (stat === undefined || waits === undefined || call === undefined) return undefined;
  const isWaiting = accepting.has(call.split(' ')[0] ?? '');
  return { pid, startTime: stat.startTime, waits: Number(waits), isWaiting };
}

function statOf(
  pid: number,
  proc: string,
): { readonly startTime: number; readonly children: number } | undefined {
  const text = readText(`${proc}/${pid}/stat`);
  if (text === undefined) return undefined;
  // Its name may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return { startTime: field(22), children: field(11) + field(13) };
}
