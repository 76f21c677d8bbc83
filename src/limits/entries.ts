/** Web entries: requests served concurrently. Web servers enforce it, since no cgroup counts requests. */
import { unlimited } from '../../packages/base/quantity.ts';
import { withoutFiles, type Limit, type Support } from './limit.ts';

const byWebServers: Support = {
  level: 'partial',
  reason: 'the web servers enforce it, not the kernel, and only those that have been told to',
  help: 'run "bulkhead web entries enable"; "bulkhead web entries status" shows where they are enforced',
};

const kernel = withoutFiles(() => byWebServers);

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
  reported: [{ attribute: 'limit', severity: 'refused' }],
  cgroup2: kernel,
  cgroup1: kernel,
};
