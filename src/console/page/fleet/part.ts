/** The exports that other parts of the page load on demand. */
import '../shell/chunk.ts';
export { Fleet } from './fleet.tsx';
