/** `bulkhead fleet back`: goes back to the confirmed release. */
import { changeCommand } from './ask-agent.ts';

export const command = changeCommand('back');
