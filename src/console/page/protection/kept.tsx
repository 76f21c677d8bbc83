/** A result that a command has left: when it ran, and how to run it again. Nothing here starts it. */
import type { ComponentChildren } from 'preact';
import type { KeptReport } from '../../../agent/responses/protection-response.ts';
import { CommandLine } from '../parts/command-line.tsx';
import { numbers } from '../state/language.ts';
import { protectionWords } from './words.ts';

interface KeptProps<Report> {
  readonly title: string;
  readonly command: string;
  readonly kept: KeptReport<Report> | undefined;
  readonly children: (report: Report) => ComponentChildren;
}

/** A result that is older may not be what the host is now. */
const oldMilliseconds = 7 * 86_400_000;

export function Kept<Report>({ title, command, kept, children }: KeptProps<Report>) {
  const text = protectionWords.value;
  const now = Date.now();
  return (
    <section class="panel">
      <h2>{title}</h2>
      {kept === undefined ? (
        <p>{text.neverRun}</p>
      ) : (
        <>
          <p class={now - kept.at > oldMilliseconds ? 'at-limit' : 'quiet'}>
            {text.asOf(numbers.value.dateTime(kept.at), numbers.value.ago(kept.at, now))}
          </p>
          {children(kept.report)}
        </>
      )}
      <CommandLine command={command} label={kept === undefined ? text.runIt : text.runAgain} />
    </section>
  );
}
