/** `bulkhead fleet rollout resume DIRECTORY`: ends a pause. */
import { wordCommand } from './say-word.ts';

export const command = wordCommand('resume');
