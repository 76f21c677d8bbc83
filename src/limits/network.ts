/** Network bandwidth, both ways. */
import { unlimited } from '../../packages/base/quantity.ts';
import { notYet, withoutFiles, type Limit } from './limit.ts';

const kernel = withoutFiles(() => notYet);
const rate = (summary: string) =>
  ({ kind: 'bytesPerSecond', fallback: unlimited, unlimited: true, min: 1024, summary }) as const;

export const network: Limit = {
  name: 'network',
  summary: 'Network bandwidth.',
  attributes: {
    send: rate('The maximum number of bytes sent per second.'),
    receive: rate('The maximum number of bytes received per second.'),
  },
  faults: [],
  cgroup2: kernel,
  cgroup1: kernel,
};
