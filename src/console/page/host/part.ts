/** The pages of the host that are loaded when somebody opens the first of them. */
import '../shell/chunk.ts';
export { Incidents } from './incidents.tsx';
export { System } from './system.tsx';
export { Tenants } from './tenants.tsx';
