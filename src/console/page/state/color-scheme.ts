/** Whether the page is dark now: what is drawn on a canvas must be drawn again when that changes. */
import { computed, signal } from '@preact/signals';
import { theme } from './theme.ts';

const system = matchMedia('(prefers-color-scheme: dark)');
const isSystemDark = signal(system.matches);
system.addEventListener('change', ({ matches }) => (isSystemDark.value = matches));

export const isDark = computed(() =>
  theme.value === 'system' ? isSystemDark.value : theme.value === 'dark',
);
