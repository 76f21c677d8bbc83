/**
 * The work of a master and its workers, as the kernel counts it.
 *
 *     445148 (php-fpm8.4) S 1 … minflt cminflt majflt cmajflt …          /proc/PID/stat
 *     43 0xb 0x7ffe082e61c0 …                                            /proc/PID/syscall: it waits in accept
 *
 * A tenant can make whoever reads these files wait for ever. So another program reads them, which is ended then: the tenant's
 * master goes on, and those of others are known all the same.
 * Source: proc(5); fcgi_accept_request() of fastcgi.c, where a worker without a request is.
 */
import { readText } from '../../../../../packages/base/io/read.ts';
import { runBounded } from '../../../../sys/processes/run-bounded.ts';
import { statusValue } from '../../../../sys/processes/process-status.ts';
import { inParallel } from '../check/budget.ts';
import { workText, type Worker } from '../../../core/fpm/service/idle.ts';

/** accept and accept4. Source: the kernel's tables of system calls. */
const accepting = new Set(process.arch === 'x64' ? ['43', '288'] : ['202', '242']);

interface Master {
  readonly pid: number;
  readonly workers: readonly number[];
}

/** The first line of each file. */
type Texts = ReadonlyMap<string, string>;

/** The time for all masters together, and where that is not enough, for each. */
const patienceMs = 5_000;
/** The arguments for a master with many more workers would be too long; such a master goes on. */
const workersMax = 10_000;

/**
 * Returns the work of each master by its pid, without masters that have a busy worker or one that cannot be read: these
 * go on.
 */
export async function worksOf(
  pids: readonly number[],
  proc = '/proc',
): Promise<ReadonlyMap<number, string>> {
  const masters = pids.flatMap((pid): readonly Master[] => {
    const children = readText(`${proc}/${pid}/task/${pid}/children`);
    const workers = (children ?? '').trim().split(' ').filter(Boolean).map(Number);
    return children === undefined || workers.length > workersMax ? [] : [{ pid, workers }];
  });
  const together = await readTexts(masters, proc);
  const works = await inParallel(masters, async (master) => {
    const texts = together ?? (await readTexts([master], proc));
    const work = texts && workOf(master, texts, proc);
    return work === undefined ? [] : [[master.pid, work] as const];
  });
  return new Map(works.flat());
}

/** Returns undefined if that takes too long. */
async function readTexts(masters: readonly Master[], proc: string): Promise<Texts | undefined> {
  const files = masters.flatMap(({ pid, workers }) => [
    `${proc}/${pid}/stat`,
    ...workers.flatMap((each) => [`${proc}/${each}/stat`, `${proc}/${each}/syscall`]),
  ]);
  if (files.length === 0) return new Map();
  const run = await runBounded('grep', ['-Hs', '', ...files], { timeoutMs: patienceMs });
  if (!run.ok) return undefined;
  const lines = Buffer.from(run.value.stdout).toString('latin1').split('\n');
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

function workOf({ pid, workers }: Master, texts: Texts, proc: string): string | undefined {
  const master = statOf(pid, texts, proc);
  if (master === undefined) return undefined;
  const found: Worker[] = [];
  for (const each of workers) {
    const worker = workerAt(each, texts, proc);
    if (worker === undefined) return undefined;
    found.push(worker);
  }
  return workText(master, found);
}

function workerAt(pid: number, texts: Texts, proc: string): Worker | undefined {
  const stat = statOf(pid, texts, proc);
  const waits = statusValue(readText(`${proc}/${pid}/status`) ?? '', 'voluntary_ctxt_switches');
  const call = texts.get(`${proc}/${pid}/syscall`);
  if (stat === undefined || waits === undefined || call === undefined) return undefined;
  const isWaiting = accepting.has(call.split(' ')[0] ?? '');
  return { pid, startTime: stat.startTime, waits: Number(waits), isWaiting };
}

function statOf(
  pid: number,
  texts: Texts,
  proc: string,
): { readonly startTime: number; readonly children: number } | undefined {
  const text = texts.get(`${proc}/${pid}/stat`);
  if (text === undefined) return undefined;
  // Its name may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return { startTime: field(22), children: field(11) + field(13) };
}
