/** `bulkhead panel hooks disable`. */
import { changeCommand } from './change-command.ts';

export const command = changeCommand('disable');
