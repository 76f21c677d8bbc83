/**
 * Colors of charts. Blue, amber, violet and red differ in brightness as well, so that they can be told apart without
 * seeing colors; a word is next to each all the same.
 */
import type { Severity } from '../fault.ts';

export const themeNames = ['light', 'dark'] as const;
export type ThemeName = (typeof themeNames)[number];

export interface Theme {
  readonly background: string;
  readonly text: string;
  /** Secondary text, at a contrast of at least 4.5. */
  readonly quiet: string;
  readonly grid: string;
  readonly average: string;
  readonly maximum: string;
  readonly limit: string;
  readonly severities: Readonly<Record<Severity, string>>;
}

export const themes: Readonly<Record<ThemeName, Theme>> = {
  light: {
    background: '#ffffff',
    text: '#1a1a1a',
    quiet: '#555555',
    grid: '#dddddd',
    average: '#005a9c',
    maximum: '#a9cdea',
    limit: '#1a1a1a',
    severities: {
      observed: '#8a8a8a',
      throttled: '#e69f00',
      refused: '#8e44ad',
      killed: '#b00020',
    },
  },
  dark: {
    background: '#16181d',
    text: '#f0f0f0',
    quiet: '#b4b8c0',
    grid: '#3a3f48',
    average: '#6cb8f0',
    maximum: '#2b557a',
    limit: '#f0f0f0',
    severities: {
      observed: '#9a9a9a',
      throttled: '#f0b030',
      refused: '#c79be0',
      killed: '#ff5c6c',
    },
  },
};

/** Effects of limits, in words that people use. */
export const severityWords: Readonly<Record<Severity, string>> = {
  observed: 'observed only',
  throttled: 'slowed',
  refused: 'refused',
  killed: 'ended',
};
