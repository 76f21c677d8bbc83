/** `bulkhead fleet rollout start DIRECTORY`: opens the first wave. */
import { wordCommand } from './say-word.ts';

export const command = wordCommand('start');
