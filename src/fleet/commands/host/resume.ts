/** `bulkhead fleet resume`: ends a hold. */
import { changeCommand } from './ask-agent.ts';

export const command = changeCommand('resume');
