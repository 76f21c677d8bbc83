/** The views that other parts of the page load on demand. */
export { Incident } from './incident.tsx';
export { Own, OwnSite } from './own.tsx';
export { Tenant } from './tenant.tsx';
