/**
 * Processes and threads that exist at once; a fork above the limit fails with EAGAIN.
 *
 * Source: cgroup-v2.rst "PID Interface Files"; the same files in v1.
 */
import { type Quantity, unlimited } from '../../packages/base/quantity.ts';
import { setCount } from './count.ts';
import { eachLine } from './flat-file.ts';
import { full, missingController, setting, type KernelSide2, type Limit } from './limit.ts';

/** PID_MAX_LIMIT on 64-bit kernels: the kernel refuses larger values in `pids.max`. */
const processesMax = 4_194_304;

const text = (value: Quantity) =>
  value === unlimited || value >= processesMax ? 'max' : String(value);

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}

const kernel: KernelSide2<'pids.max'> = {
  settings(values) {
    const value = values['processes.limit'] ?? unlimited;
    return [setting('processes.limit', 'pids', 'pids.max', text(value), 'max')];
  },
  since: { 'pids.max': 403 },
  systemd: { 'pids.max': 'TasksMax' },
  counters: [
    {
      controller: 'pids',
      file: 'pids.current',
      indicatesActivity: true,
      parse: (text, into) => setCount(text, 'threads', into),
    },
    {
      controller: 'pids',
      file: 'cgroup.procs',
      // v1 rebuilds this list for a reader only if it has not been read for a second.
      follows: 'threads',
      parse: (text, into) => {
        into.processes = countLines(text);
      },
    },
    {
      controller: 'pids',
      // Since Linux 6.1, in v1 too. No kernel can reset it so far: it covers the lifetime of the cgroup.
      file: 'pids.peak',
      peak: 'threadsPeak',
      follows: 'cpuMicroseconds',
      parse: (text, into) => setCount(text, 'threadsPeak', into),
    },
    {
      controller: 'pids',
      file: 'pids.events',
      parse: (text, into) =>
        eachLine(text, (key, value) => {
          if (key === 'max') setCount(value, 'forksRefused', into);
        }),
    },
  ],
  support: (_attribute, context) =>
    context.controllers.has('pids') ? full : missingController('pids'),
};

export const processes: Limit = {
  name: 'processes',
  summary: 'Processes and threads.',
  attributes: {
    limit: {
      kind: 'count',
      fallback: unlimited,
      unlimited: true,
      min: 1,
      summary:
        'The maximum number of processes and threads at once. At the limit, none can be started.',
    },
  },
  faults: [
    { attribute: 'limit', severity: 'refused', counter: 'forksRefused', inferred: false },
    {
      // The kernel refuses forks above `pids.max`, but not moves into the cgroup: processes started before they were
      // placed can exceed it. While they do, nothing more can be started.
      attribute: 'limit',
      severity: 'refused',
      counter: 'threads',
      peak: 'threadsPeak',
      inferred: false,
    },
  ],
  cgroup2: kernel,
  cgroup1: kernel,
};
