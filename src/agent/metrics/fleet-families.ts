/** Metrics of the host in its fleet. */
import { fleetStates, type FleetResponse } from '../api/fleet-api.ts';
import type { Page } from './page.ts';

const generation = 'bulkhead_fleet_generation';
const state = 'bulkhead_fleet_state';

/** Adds them if the host is in a fleet. */
export function fleetSamples(page: Page, fleet: FleetResponse | undefined): void {
  if (fleet === undefined || fleet.state === 'none') return;
  page.head(generation, 'gauge', 'The generation of the fleet in force; 0: none.');
  page.text += `${generation} ${fleet.release?.generation ?? 0}\n`;
  page.head(state, 'gauge', 'The state of the host in its fleet: 1 for the current one.');
  for (const each of fleetStates)
    page.text += `${state}{state="${each}"} ${Number(each === fleet.state)}\n`;
}
