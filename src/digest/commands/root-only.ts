/** Refuses accounts other than root: the agent shows them only their own use, so other customers would seem to get no digest. */
import type { Problem } from '../../../packages/base/problem.ts';

export const rootOnly = (action: string): Problem | undefined =>
  process.geteuid?.() === 0 ? undefined : { action, reason: 'only root may', hint: 'use sudo' };
