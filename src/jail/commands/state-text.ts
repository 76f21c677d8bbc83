/** Formats the state of a jail for people. */
import { printable } from '../../../packages/base/printable.ts';
import type { JailStateFile } from '../core/state-file.ts';

export function formatJailState(stateFile: JailStateFile | undefined): string {
  if (stateFile === undefined || stateFile.state === 'waiting')
    return 'not built yet: nothing starts';
  if (stateFile.state === 'failed')
    return `not built, nothing starts: ${printable(stateFile.reason ?? '')}`;
  return stateFile.filter ? 'ready' : 'ready, without a seccomp filter';
}
