/** The views that other parts of the page load on demand. */
import '../shell/chunk.ts';
export { Incident } from './incident.tsx';
export { Own, OwnSite } from './own.tsx';
