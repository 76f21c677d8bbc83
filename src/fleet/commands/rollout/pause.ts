/** `bulkhead fleet rollout pause DIRECTORY`: lets no more hosts begin. */
import { wordCommand } from './say-word.ts';

export const command = wordCommand('pause');
