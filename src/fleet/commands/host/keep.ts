/** `bulkhead fleet keep`: keeps a release that is healthy or unclear: the host goes back to it from now on. */
import { changeCommand } from './ask-agent.ts';

export const command = changeCommand('keep');
