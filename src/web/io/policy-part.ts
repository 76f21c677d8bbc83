/** What the web has in force beside limits. */
import { endRemoved } from './fpm/idle/end-removed.ts';
import { servedRelease } from './served/record.ts';

export const webPolicy = { ...servedRelease, apply: endRemoved };
