/** The German words of the part `host`. */
export { incidentsPage } from './incidents.ts';
export { system } from './system.ts';
export { tenants as tenantsPage } from './tenants.ts';
