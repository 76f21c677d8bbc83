/**
 * The output of `update-alternatives --query suexec`: which suexec Debian's link leads to.
 *
 *     Name: suexec
 *     Link: /usr/lib/apache2/suexec
 *     Status: auto
 *     Best: /usr/lib/apache2/suexec-custom
 *     Value: /usr/lib/apache2/suexec-custom
 *
 *     Alternative: /usr/lib/apache2/suexec-custom
 *     Priority: 10
 */
export interface Alternatives {
  /** Whether an administrator has chosen the program; otherwise the highest priority counts. */
  readonly isManual: boolean;
  /** The program that the link leads to; absent if there is none. */
  readonly value?: string;
  /** All programs, the highest priority first. */
  readonly programs: readonly string[];
}

export function parseAlternatives(text: string): Alternatives {
  const [head = '', ...others] = text.split(/\n\n+/);
  const value = fieldOf(head, 'Value');
  const programs = others.flatMap((each) => {
    const program = fieldOf(each, 'Alternative');
    return program === undefined
      ? []
      : [{ program, priority: Number(fieldOf(each, 'Priority') ?? 0) }];
  });
  return {
    isManual: fieldOf(head, 'Status') === 'manual',
    ...(value === undefined || value === 'none' ? {} : { value }),
    programs: programs.toSorted((a, b) => b.priority - a.priority).map(({ program }) => program),
  };
}

const fieldOf = (block: string, name: string): string | undefined =>
  block
    .split('\n')
    .find((line) => line.startsWith(`${name}: `))
    ?.slice(name.length + 2);
