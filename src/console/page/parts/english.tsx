/**
 * Words of the command line and of the log, which are English in every language: people search for them. Screen readers
 * read them as English, and programs that translate pages leave them as they are.
 */
import type { ComponentChildren } from 'preact';

interface EnglishProps {
  readonly class?: string;
  readonly children: ComponentChildren;
}

export const English = ({ class: name, children }: EnglishProps) => (
  <span lang="en" translate={false} class={name}>
    {children}
  </span>
);
