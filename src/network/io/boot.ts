/** The kernel's id of this boot: what a record of an earlier one says has been undone by the restart. */
import { readText } from '../../../packages/base/io/read.ts';
import type { Paths } from '../../host/paths.ts';

export const bootOf = ({ proc }: Paths): string =>
  readText(`${proc}/sys/kernel/random/boot_id`)?.trim() ?? '';
