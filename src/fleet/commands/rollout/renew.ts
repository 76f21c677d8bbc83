/** `bulkhead fleet rollout renew DIRECTORY`: says the same again. */
import { wordCommand } from './say-word.ts';

export const command = wordCommand('renew');
