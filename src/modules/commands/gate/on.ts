/** `bulkhead modules gate on`. */
import { switchCommand } from './switch.ts';

export const command = switchCommand('on');
