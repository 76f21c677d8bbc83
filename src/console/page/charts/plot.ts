/** Draws a chart: a canvas with the lines, and above it the marks, the cursor and the selection as elements. */
import { margins, paintPlot, type PaintOptions } from './plot-canvas.ts';
import type { PlotBand, PlotContent } from './plot-content.ts';
import { followPointer } from './plot-pointer.ts';

export interface PlotOptions extends PaintOptions {
  /** Called when the cursor of this chart moves to a part of the period, or leaves. */
  readonly onCursor: (index: number | undefined) => void;
  /** Called when a period is marked with the pointer. */
  readonly onPeriod: (from: number, to: number) => void;
}

export interface Plot {
  /** Shows the cursor at a part of the period; the pointer may be over another chart. */
  readonly showCursor: (index: number | undefined) => void;
  readonly end: () => void;
}

export function drawPlot(target: HTMLElement, content: PlotContent, options: PlotOptions): Plot {
  const canvas = document.createElement('canvas');
  const area = elementOf('plot-area');
  area.style.inset = `${margins.top}px ${margins.right}px ${margins.bottom}px ${margins.left}px`;
  const line = elementOf('plot-cursor');
  const selection = elementOf('plot-selection');
  area.append(...content.bands.map((band) => bandElement(content, band)), selection, line);
  target.append(canvas, area);
  const count = content.lines[0]?.values.length ?? 0;
  const pointer = followPointer(area, selection, {
    onMove: (share) => options.onCursor(share === undefined ? undefined : partAt(share, count)),
    onSelect: (from, to) => options.onPeriod(momentAt(content, from), momentAt(content, to)),
  });
  const resized = new ResizeObserver(() => paintPlot(canvas, content, options));
  resized.observe(target);
  return {
    showCursor: (index) => {
      line.hidden = index === undefined;
      if (index !== undefined) line.style.left = `${((index + 0.5) / count) * 100}%`;
    },
    end: () => {
      pointer.end();
      resized.disconnect();
      canvas.remove();
      area.remove();
    },
  };
}

const partAt = (share: number, count: number) =>
  count === 0 ? undefined : Math.min(count - 1, Math.floor(share * count));

const momentAt = ({ from, to }: PlotContent, share: number) =>
  Math.round(from + share * (to - from));

function elementOf(name: string): HTMLElement {
  const element = document.createElement('div');
  element.className = name;
  element.hidden = name !== 'plot-area';
  return element;
}

/** Returns the mark of an incident. The list has the same links for those without a pointer. */
function bandElement({ from, to }: PlotContent, band: PlotBand): HTMLElement {
  const place = (at: number) => (Math.min(Math.max(at, from), to) - from) / (to - from);
  const [left, right] = [place(band.from), place(band.to)];
  const mark = document.createElement('a');
  mark.className = 'band';
  mark.href = band.href;
  mark.title = band.title;
  mark.tabIndex = -1;
  mark.draggable = false;
  mark.dataset['level'] = band.level;
  mark.style.left = `${left * 100}%`;
  mark.style.width = `${(right - left) * 100}%`;
  return mark;
}
