/** How exactly `network send` holds: each device that leads out, and the host as a whole. */
import { listSome } from '../../../../packages/base/list.ts';

export type PacingSupport = 'full' | 'partial' | 'none';

export interface DeviceReport {
  /** The name of the device. */
  readonly device: string;
  readonly support: PacingSupport;
  /** The reason in words, with the name of the device. */
  readonly reason: string;
}

export interface PacingReport {
  readonly support: PacingSupport;
  readonly reason: string;
  readonly devices: readonly DeviceReport[];
  /** The failures, such as a setting that is not writable. */
  readonly remarks: readonly string[];
}

/** The weakest device decides. */
export function reportOf(
  devices: readonly DeviceReport[],
  remarks: readonly string[] = [],
): PacingReport {
  if (devices.length === 0)
    return {
      support: 'partial',
      reason: 'no device has a default route: what exceeds is marked and dropped, not delayed',
      devices,
      remarks,
    };
  const weak = devices.filter(({ support }) => support !== 'full');
  const shown = weak.length === 0 ? devices : weak;
  return {
    support: weak.length === 0 ? 'full' : 'partial',
    reason: listSome(shown.map(({ reason }) => reason)),
    devices,
    remarks,
  };
}

/** Nothing is known of the devices. */
export const unknownPacing = (reason: string): PacingReport => ({
  support: 'none',
  reason: `the devices are unknown: ${reason}`,
  devices: [],
  remarks: [],
});

/** Nobody needs it, so no device was looked at. */
export const notWanted = (remarks: readonly string[]): PacingReport => ({
  support: 'none',
  reason: 'nobody has a limit on what it sends',
  devices: [],
  remarks,
});
