/** Metrics of the host's protections: whether each is in force, and how much it refused. */
import { protectionStates, type Protection } from '../part.ts';
import type { Page } from './page.ts';

const state = 'bulkhead_protection_state';
const refused = 'bulkhead_protection_refused_total';

export function protectionSamples(page: Page, protections: readonly Protection[]): void {
  if (protections.length === 0) return;
  page.head(
    state,
    'gauge',
    'Whether a protection of the host is in force: 1 for the current state.',
  );
  for (const each of protections)
    for (const one of protectionStates)
      page.text += `${state}{protection="${each.name}",state="${one}"} ${Number(one === each.state)}\n`;
  const counted = protections.filter((each) => each.refused !== undefined);
  if (counted.length === 0) return;
  page.head(refused, 'counter', 'What a protection of the host refused, or would have.');
  for (const each of counted)
    page.text += `${refused}{protection="${each.name}"} ${each.refused}\n`;
}
