/** A dialog of the browser's own: it keeps the focus, and Escape closes it. */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { words } from '../state/language.ts';

interface DialogProps {
  readonly title: string;
  /** A drawer is at the side, and as high as the window. */
  readonly kind?: 'drawer';
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

export function Dialog({ title, kind, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog ref={dialog} class={kind} aria-labelledby={heading} onClose={onClose}>
      <header>
        <h2 id={heading}>{title}</h2>
        <button type="button" class="small" onClick={() => dialog.current?.close()}>
          {words.value.close}
        </button>
      </header>
      {children}
    </dialog>
  );
}

interface DisclosureProps {
  readonly summary: ComponentChildren;
  readonly children: ComponentChildren;
}

export const Disclosure = ({ summary, children }: DisclosureProps) => (
  <details>
    <summary>{summary}</summary>
    {children}
  </details>
);
