/** Which rows of a long table are in view. */
import type { RefObject } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** Rows beyond the edges, so that scrolling shows no gaps. */
const margin = 5;

interface VisibleRows {
  readonly first: number;
  /** The row after the last one. */
  readonly end: number;
}

export function rowsInView(
  top: number,
  viewHeight: number,
  count: number,
  rowHeight: number,
): VisibleRows {
  const above = Math.floor(-top / rowHeight) - margin;
  const first = Math.min(Math.max(0, above), Math.max(0, count - 1));
  const shown = Math.ceil(viewHeight / rowHeight) + 2 * margin;
  return { first, end: Math.min(count, first + shown) };
}

/** Follows the scrolling of the window. */
export function useWindow(
  body: RefObject<HTMLElement | null>,
  count: number,
  rowHeight: number,
  showsAll: boolean,
): VisibleRows {
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(() => innerHeight);
  useEffect(() => {
    let waiting = 0;
    const measure = () => {
      waiting = 0;
      const now = body.current?.getBoundingClientRect().top ?? 0;
      // Only whole rows count: the page need not be drawn for each pixel.
      setTop(Math.round(now / rowHeight) * rowHeight);
      setHeight(innerHeight);
    };
    const later = () => (waiting ||= requestAnimationFrame(measure));
    measure();
    addEventListener('scroll', later, { passive: true });
    addEventListener('resize', later);
    return () => {
      cancelAnimationFrame(waiting);
      removeEventListener('scroll', later);
      removeEventListener('resize', later);
    };
  }, [count, rowHeight]);
  return showsAll ? { first: 0, end: count } : rowsInView(top, height, count, rowHeight);
}
