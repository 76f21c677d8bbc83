/** The exports that other parts of the page load on demand. */
import '../shell/chunk.ts';
export { ChangeDialog } from './change-dialog.tsx';
export { ManyDialog } from './many-dialog.tsx';
export { Policy } from './policy.tsx';
export { WhatIf } from './what-if.tsx';
