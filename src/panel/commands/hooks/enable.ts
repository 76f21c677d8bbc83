/** `bulkhead panel hooks enable`. */
import { changeCommand } from './change-command.ts';

export const command = changeCommand('enable');
