/** `bulkhead fleet rollout next DIRECTORY`: opens the next wave. */
import { wordCommand } from './say-word.ts';

export const command = wordCommand('next');
