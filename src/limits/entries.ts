/** Web entries: requests served concurrently. To be enforced where requests enter, not by a cgroup. */
import { unlimited } from '../base/quantity.ts';
import { notYet, type KernelSide, type Limit } from './limit.ts';

const kernel: KernelSide = { settings: () => [], counters: [], support: () => notYet };

export const entries: Limit = {
  name: 'entries',
  summary: 'Concurrent web requests.',
  attributes: {
    limit: {
      kind: 'count',
      fallback: unlimited,
      unlimited: true,
      min: 1,
      summary: 'The maximum number of requests served concurrently.',
    },
  },
  faults: [],
  cgroup2: kernel,
  cgroup1: kernel,
};
