/** Refuses other accounts: the agent shows them only themselves, so a customer would seem to get no digest. */
import type { Problem } from '../../../packages/base/problem.ts';

export const rootOnly = (action: string): Problem | undefined =>
  process.geteuid?.() === 0 ? undefined : { action, reason: 'only root may', hint: 'use sudo' };
