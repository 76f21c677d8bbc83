/** The web's part in `apply` and `release`, apart from limits. */
import { endRemoved } from './fpm/idle/end-removed.ts';
import { servedRelease } from './served/record.ts';

export const webPolicy = { ...servedRelease, apply: endRemoved };
