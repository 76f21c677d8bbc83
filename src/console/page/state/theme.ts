/** The colors: as the system, light or dark. */
import { effect, signal } from '@preact/signals';
import { keep, kept } from './kept.ts';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const asTheme = (text: string | undefined): Theme =>
  themes.find((each) => each === text) ?? 'system';

export const theme = signal<Theme>(asTheme(kept('theme')));

export function chooseTheme(text: string): void {
  theme.value = asTheme(text);
  keep('theme', theme.value);
}

/** Applies the theme, now and whenever it changes. */
export const followTheme = () =>
  effect(() => {
    document.documentElement.style.colorScheme =
      theme.value === 'system' ? 'light dark' : theme.value;
  });
