/** Formats the state of a jail for people. */
import { printable } from '../../../packages/base/printable.ts';
import type { Mark } from '../core/mark.ts';

export function stateText(mark: Mark | undefined): string {
  if (mark === undefined || mark.state === 'waiting') return 'not built yet: nothing starts';
  if (mark.state === 'failed') return `not built, nothing starts: ${printable(mark.reason ?? '')}`;
  return mark.filter ? 'ready' : 'ready, without a seccomp filter';
}
