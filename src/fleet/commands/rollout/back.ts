/** `bulkhead fleet rollout back DIRECTORY`: lets all hosts go back. */
import { wordCommand } from './say-word.ts';

export const command = wordCommand('back');
