/** The view that other parts of the page load on demand. */
export { Overview } from './overview.tsx';
