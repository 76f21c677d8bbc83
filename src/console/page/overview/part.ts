/** The view that other parts of the page load on demand. */
import '../shell/chunk.ts';
export { Overview } from './overview.tsx';
