/** The port to this machine, passed in and never imported: a test passes another one. */
import type { DriverName } from '../policy/document.ts';
import type { Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import type { Driver } from './driver.ts';
import type { Paths } from './paths.ts';
import { probeDriver } from './probe.ts';

export interface Host {
  readonly paths: Paths;
  /**
   * Returns the driver for this host, or the reason why there is none; `asked` is the policy's
   * choice.
   */
  readonly probe: (asked?: DriverName) => Result<Driver, Problem>;
}

export function linuxHost(paths: Paths): Host {
  return { paths, probe: (asked) => probeDriver(paths, asked) };
}
