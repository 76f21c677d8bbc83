/** Lines of the file that change: the sign says which, the color only repeats it. */
import type { DiffHunk, DiffLine } from '../../../policy/changes/line-diff.ts';
import { policyWords } from './words.ts';

const linesMax = 400;

export function Diff({ hunks }: { readonly hunks: readonly DiffHunk[] }) {
  const words = policyWords.value;
  const shown = hunks.slice(0, linesMax);
  return (
    <div class="diff" role="group" aria-label={words.lines} tabIndex={0}>
      {shown.map((hunk) => (
        <div key={hunk.line}>
          <p class="quiet">{words.fromLine(hunk.line)}</p>
          {hunk.lines.slice(0, linesMax).map((line, at) => (
            <Line key={at} line={line} />
          ))}
          {hunk.lines.length > linesMax && <p>{words.moreLines(hunk.lines.length - linesMax)}</p>}
        </div>
      ))}
    </div>
  );
}

function Line({ line: { sign, text } }: { readonly line: DiffLine }) {
  const words = policyWords.value;
  const name = { '+': words.added, '-': words.removed, ' ': undefined }[sign];
  return (
    <div class="diff-line" data-sign={sign}>
      <span aria-hidden="true">{sign}</span>
      {name !== undefined && <span class="hidden">{name} </span>}
      <code>{text === '' ? ' ' : text}</code>
    </div>
  );
}
