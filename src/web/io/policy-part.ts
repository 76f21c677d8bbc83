/** The web's part of a policy, next to limits. */
import { endRemoved, planRemoved } from './fpm/idle/end-removed.ts';
import { servedRelease } from './served/record.ts';

export const webPolicy = { ...servedRelease, plan: planRemoved, apply: endRemoved };
