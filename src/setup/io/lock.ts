/** One setup at a time. The lock is beside the runtime directory of the instance, which `undo` removes. */
import type { Paths } from '../../host/paths.ts';

export const setupLock = ({ runtime }: Pick<Paths, 'runtime'>): string => `${runtime}-setup.lock`;
