/** The command that shows the same as the page: `bulkhead usage alice --period 7d`. */
import { useState } from 'preact/hooks';
import { words } from '../state/language.ts';

interface CommandLineProps {
  readonly command: string;
  /** The words before the command, if it does not show the same as the page. */
  readonly label?: string;
}

export const CommandLine = ({ command, label }: CommandLineProps) => (
  <p class="command">
    <span class="quiet">{label ?? words.value.command}</span> <code>{command}</code>{' '}
    <CopyButton text={command} />
  </p>
);

interface CopyButtonProps {
  readonly text: string;
  readonly label?: string;
}

export function CopyButton({ text, label = words.value.copy }: CopyButtonProps) {
  const [result, setResult] = useState<'copied' | 'failed' | undefined>();
  const { copied, cannotCopy } = words.value;
  const write = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setResult('copied');
    } catch {
      setResult('failed');
    }
  };
  return (
    <>
      <button type="button" class="small" onClick={() => void write()}>
        {label}
      </button>{' '}
      <span class="quiet" role="status">
        {result === 'copied' && copied}
        {result === 'failed' && cannotCopy}
      </span>
    </>
  );
}

/** Returns a name as a shell takes it: as it is, or in quotes. */
export const shellWord = (text: string): string =>
  /^[\w.@/:-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
