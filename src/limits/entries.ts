/** Web entries: requests served concurrently. Web servers enforce it, since no cgroup counts requests. */
import { unlimited } from '../../packages/base/quantity.ts';
import { withoutFiles, type Limit } from './limit.ts';
import { weakSupport } from './support.ts';

const byWebServers = weakSupport('partial', [{ code: 'web servers' }], { code: 'enable entries' });

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
