/** The time that a host knows: its wall clock, and the time since it started. */
import { readText } from '../../../packages/base/io/read.ts';
import type { Paths } from '../../host/paths.ts';
import type { Now } from '../core/states.ts';

/**
 *     /proc/sys/kernel/random/boot_id    9b1c6d4e-…
 *     /proc/uptime                       35017.22 68712.01
 */
export const momentNow = ({ proc }: Pick<Paths, 'proc'>): Now => ({
  boot: readText(`${proc}/sys/kernel/random/boot_id`)?.trim() ?? '',
  uptime: Number.parseFloat(readText(`${proc}/uptime`) ?? '') || 0,
  at: Date.now(),
});
