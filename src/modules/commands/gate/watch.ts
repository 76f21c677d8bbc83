/** `bulkhead modules gate watch`. */
import { switchCommand } from './switch.ts';

export const command = switchCommand('watch');
