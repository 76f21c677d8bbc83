/** The web's part of a policy, next to limits. */
import type { Paths } from '../../host/paths.ts';
import { endRemoved, planRemoved } from './fpm/idle/end-removed.ts';
import { webLogsRelease } from './access-logs/record.ts';
import { servedRelease } from './served/record.ts';

export const webPolicy = {
  release: async (paths: Paths) => [
    ...(await servedRelease.release(paths)),
    ...(await webLogsRelease.release(paths)),
  ],
  plan: planRemoved,
  apply: endRemoved,
};
