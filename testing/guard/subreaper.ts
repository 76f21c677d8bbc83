/**
 * The kernel functions of a guard: orphans below it become its children, and it reaps them.
 *
 * Only tests need them, so they are not among the product's system calls.
 */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const cPrctl = libc.func(
  'int prctl(int option, unsigned long value, unsigned long, unsigned long, unsigned long)',
);
const cWaitid = libc.func('int waitid(int type, uint32_t id, void *info, int options)');
const cWaitpid = libc.func('int waitpid(int pid, void *status, int options)');

const PR_SET_CHILD_SUBREAPER = 36;
const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
/** The size of siginfo_t, 128 bytes. With a child that ended, si_pid comes after three words and a padding word. */
const siginfoWords = 32;
const siPid = 4;

/** Makes this process the parent of every orphan below it, from now on. Source: prctl(2). */
export function becomeSubreaper(): void {
  if (cPrctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) !== 0)
    throw new Error('Cannot become the subreaper of what is started');
}

/** Reaps adopted processes; `own` is left to Node, which started it. Returns how many there were. */
export function reapAdopted(own: number): number {
  const info = new Int32Array(siginfoWords);
  for (let count = 0; ; count++) {
    info.fill(0);
    if (cWaitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) !== 0) return count;
    const pid = info[siPid] ?? 0;
    if (pid === 0 || pid === own) return count;
    cWaitpid(pid, null, WNOHANG);
  }
}
