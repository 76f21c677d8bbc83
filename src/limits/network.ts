/**
 * Network bandwidth, both ways, and new connections. Sockets belong to an account and not to a cgroup, so BPF programs
 * enforce it, by the uid that owns the socket.
 */
import { unlimited } from '../../packages/base/quantity.ts';
import { withoutFiles, type Limit } from './limit.ts';
import { weakSupport, type Support, type WeaknessCode } from './support.ts';

const weaknesses: Readonly<Record<string, WeaknessCode>> = {
  send: 'roughly without fq',
  receive: 'has used the line',
};

function byPrograms(attribute: string): Support {
  const code = weaknesses[attribute];
  const codes = ['network programs' as const, ...(code === undefined ? [] : [code])];
  return weakSupport(
    'partial',
    codes.map((each) => ({ code: each })),
    { code: 'network status' },
  );
}

const kernel = withoutFiles(byPrograms);

/** The rate of ten full packets a second. A connection hardly works with less. */
const rateMin = 16 * 1024;

const rate = (summary: string) =>
  ({
    kind: 'bytesPerSecond',
    fallback: unlimited,
    unlimited: true,
    min: rateMin,
    raisedFrom: 1024,
    summary,
  }) as const;

export const network: Limit = {
  name: 'network',
  summary: 'Traffic with other hosts, by sockets of its processes. Loopback does not count.',
  attributes: {
    send: rate('The maximum number of bytes sent per second, IP headers included.'),
    receive: rate('The maximum number of bytes received per second, IP headers included.'),
    connections: {
      kind: 'perSecond',
      fallback: unlimited,
      unlimited: true,
      min: 1,
      summary:
        'The maximum number of new TCP connections to other hosts per second. As many may begin at once.',
    },
  },
  faults: [],
  reported: [
    { attribute: 'send', severity: 'throttled' },
    { attribute: 'receive', severity: 'throttled' },
    { attribute: 'connections', severity: 'refused' },
  ],
  cgroup2: kernel,
  cgroup1: kernel,
};
