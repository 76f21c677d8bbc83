/** Metrics of the whole host, next to which those of tenants can be seen. */
import type { HostFigures } from '../../host/host-figures.ts';
import type { Page } from './page.ts';

const waiting = 'bulkhead_host_pressure_waiting_seconds_total';
const stalled = 'bulkhead_host_pressure_stalled_seconds_total';

export function hostSamples(page: Page, host: HostFigures): void {
  page.single('bulkhead_host_cpu_cores', 'gauge', 'Cores of the host.', host.cores);
  page.single('bulkhead_host_memory_bytes', 'gauge', 'Memory of the host.', host.memoryBytes);
  page.single(
    'bulkhead_host_memory_available_bytes',
    'gauge',
    'Memory that programs can still get without swapping.',
    host.memoryAvailableBytes,
  );
  const { pressure } = host;
  if (pressure.length === 0) return;
  page.head(waiting, 'counter', 'Time during which at least one thread waited for the resource.');
  for (const { resource, someMicroseconds } of pressure)
    page.text += `${waiting}{resource="${resource}"} ${someMicroseconds / 1e6}\n`;
  const full = pressure.filter((each) => each.fullMicroseconds !== undefined);
  if (full.length === 0) return;
  page.head(stalled, 'counter', 'Time during which all busy threads waited for the resource.');
  for (const { resource, fullMicroseconds = 0 } of full)
    page.text += `${stalled}{resource="${resource}"} ${fullMicroseconds / 1e6}\n`;
}
