/**
 * Pressure: the time that threads of a cgroup waited for a resource. Only cgroup v2 has it.
 *
 *     some avg10=0.00 avg60=0.00 avg300=0.00 total=12345     at least one thread waited
 *     full avg10=0.00 avg60=0.00 avg300=0.00 total=12345     all of them did
 *
 * Source: Documentation/accounting/psi.rst. `total` is in microseconds.
 */
import { setCount } from './count.ts';
import type { Controller, CounterFile, Counters } from './limit.ts';

export function pressureFile(controller: Controller, counter: keyof Counters): CounterFile {
  return {
    controller,
    file: `${controller}.pressure`,
    // Without activity in between, nothing can have waited.
    follows: 'cpuMicroseconds',
    parse(text, into) {
      const end = text.indexOf('\n');
      const start = text.lastIndexOf('total=', end === -1 ? text.length : end);
      if (text.startsWith('some ') && start !== -1) {
        setCount(text.slice(start + 6, end === -1 ? text.length : end), counter, into);
      }
    },
  };
}
