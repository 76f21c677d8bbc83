/** The exports that other parts of the page load on demand. */
import '../shell/chunk.ts';
export { Modules } from './modules.tsx';
export { Protection } from './protection.tsx';
