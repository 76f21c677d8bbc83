/** The pointer on a chart: where it is, and the period that it marks. Places are shares of the width, from 0 to 1. */

interface PointerEvents {
  /** Undefined: the pointer has left. */
  readonly onMove: (share: number | undefined) => void;
  readonly onSelect: (from: number, to: number) => void;
}

/** A shorter way of the pointer is a click. */
const selectionPixelsMin = 8;

export function followPointer(
  area: HTMLElement,
  selection: HTMLElement,
  { onMove, onSelect }: PointerEvents,
): { readonly end: () => void } {
  let start: number | undefined;
  let hasSelected = false;
  const shareOf = ({ clientX }: MouseEvent) => {
    const { left, width } = area.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - left) / width));
  };
  const selected = (event: PointerEvent) => {
    const at = shareOf(event);
    const [from, to] = [Math.min(start ?? at, at), Math.max(start ?? at, at)];
    return { from, to, isClick: (to - from) * area.clientWidth < selectionPixelsMin };
  };
  const drop = () => {
    start = undefined;
    selection.hidden = true;
  };
  area.addEventListener('pointerdown', (event) => {
    onMove(shareOf(event));
    // A finger scrolls the page.
    if (event.pointerType !== 'mouse' || event.button !== 0) return;
    start = shareOf(event);
    hasSelected = false;
  });
  area.addEventListener('pointermove', (event) => {
    onMove(shareOf(event));
    if (start === undefined) return;
    const { from, to, isClick } = selected(event);
    if (isClick) return;
    // Marks below the pointer stay links: it is captured only once it has moved.
    area.setPointerCapture(event.pointerId);
    selection.hidden = false;
    selection.style.left = `${from * 100}%`;
    selection.style.width = `${(to - from) * 100}%`;
  });
  area.addEventListener('pointerup', (event) => {
    if (start === undefined) return;
    const { from, to, isClick } = selected(event);
    drop();
    hasSelected = !isClick;
    if (!isClick) onSelect(from, to);
  });
  area.addEventListener('pointercancel', drop);
  area.addEventListener('pointerleave', (event) => {
    // A finger that was lifted leaves the cursor where it was, to be read.
    if (event.pointerType !== 'mouse') return;
    drop();
    onMove(undefined);
  });
  // The click at the end of a selection opens no mark.
  area.addEventListener('click', (event) => {
    if (hasSelected) event.preventDefault();
  });
  const leaveElsewhere = ({ target }: Event) => {
    // All charts have the same cursor.
    if (!(target instanceof Element && target.closest('.plot-area'))) onMove(undefined);
  };
  document.addEventListener('pointerdown', leaveElsewhere);
  return { end: () => document.removeEventListener('pointerdown', leaveElsewhere) };
}
