/** Draws a chart. It is in a chunk of its own: uPlot is the larger half of the page. */
import uPlot from 'uplot';
import { axisTop, axisSteps } from './plot-axis.ts';
import type { LineKind, PlotBand, PlotContent } from './plot-content.ts';

export interface PlotOptions {
  readonly height: number;
  readonly valueText: (value: number) => string;
  readonly language: string;
  /** Called when the cursor of any chart moves. */
  readonly onCursor: (index: number | undefined) => void;
  /** Called when a period is marked with the pointer. */
  readonly onPeriod: (from: number, to: number) => void;
}

const cursorKey = 'use';
const periodPixelsMin = 8;
const axisFont = '12px system-ui, sans-serif';

/** Returns what ends the drawing. */
export function drawPlot(
  target: HTMLElement,
  content: PlotContent,
  options: PlotOptions,
): () => void {
  const plot = new uPlot(optionsOf(target, content, options), dataOf(content), target);
  plot.over.append(...content.bands.map((band) => bandElement(content, band)));
  const resized = new ResizeObserver(() => {
    const width = target.clientWidth;
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: options.height });
  });
  resized.observe(target);
  return () => {
    resized.disconnect();
    plot.destroy();
  };
}

function dataOf({ from, to, lines, limit }: PlotContent): uPlot.AlignedData {
  const count = lines[0]?.values.length ?? 0;
  const part = (to - from) / count;
  const times = Array.from({ length: count }, (_, at) => (from + (at + 0.5) * part) / 1000);
  const values = lines.map((line) => [...line.values]);
  // The line of the limit reaches from edge to edge by the scale; two points of it are enough for that.
  return limit === undefined ? [times, ...values] : [times, ...values, times.map(() => limit)];
}

function optionsOf(target: HTMLElement, content: PlotContent, options: PlotOptions): uPlot.Options {
  const { from, to, lines, limit, unit } = content;
  const { height, valueText, language, onCursor, onPeriod } = options;
  const color = colorsOf(target);
  const top = axisTop(content);
  const axis = {
    stroke: color('--quiet'),
    font: axisFont,
    grid: { stroke: color('--line'), width: 1 },
    ticks: { stroke: color('--line'), width: 1, size: 4 },
  };
  const times = timeTexts(language);
  return {
    width: target.clientWidth,
    height,
    legend: { show: false },
    padding: [8, 10, 0, 0],
    scales: {
      x: { time: true, range: [from / 1000, to / 1000] },
      y: { range: [0, top] },
    },
    axes: [
      {
        ...axis,
        space: 60,
        size: 30,
        values: (_, splits, _axis, _space, step) => splits.map((each) => times(each, step)),
      },
      {
        ...axis,
        size: 74,
        splits: () => axisSteps(top, unit),
        values: (_, splits) => splits.map(valueText),
      },
    ],
    series: [{}, ...lines.map(({ kind }) => lineStyle(kind, color)), ...limitStyle(limit, color)],
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      sync: { key: cursorKey },
    },
    hooks: {
      setCursor: [({ cursor }) => onCursor(cursor.idx ?? undefined)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          // The selection of a chart reaches the others too; they have no pointer.
          if (width < periodPixelsMin || !plot.over.matches(':hover')) return;
          const at = (x: number) => Math.round(plot.posToVal(x, 'x') * 1000);
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onPeriod(at(left), at(left + width));
        },
      ],
    },
  };
}

type Colors = (name: string, share?: number) => string;

/** Returns colors as the canvas takes them: registered properties have no `light-dark()` left. */
function colorsOf(target: HTMLElement): Colors {
  const style = getComputedStyle(target);
  return (name, share = 1) => {
    const value = style.getPropertyValue(name);
    return share === 1 ? value : value.replace(/^rgb\((.*)\)$/, `rgb($1, ${share})`);
  };
}

const fillShare = 0.15;

function lineStyle(kind: LineKind, color: Colors): uPlot.Series {
  const plain = { points: { size: 3, width: 1 } } as const;
  switch (kind) {
    case 'main':
      return {
        ...plain,
        stroke: color('--accent'),
        fill: color('--accent', fillShare),
        width: 1.5,
      };
    case 'second':
      return { ...plain, stroke: color('--quiet'), fill: color('--quiet', fillShare), width: 1.5 };
    case 'third':
      return { ...plain, stroke: color('--slowed'), width: 1.5 };
    case 'peak':
      return { ...plain, stroke: color('--accent', 0.45), width: 1 };
  }
}

const limitStyle = (limit: number | undefined, color: Colors): readonly uPlot.Series[] =>
  limit === undefined
    ? []
    : [{ stroke: color('--ended'), width: 1.5, dash: [6, 4], points: { show: false } }];

const daySeconds = 86_400;

/** Returns a function that names a moment on the axis: the day at midnight, else the time. */
function timeTexts(language: string): (seconds: number, step: number) => string {
  const time = new Intl.DateTimeFormat(language, {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const day = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short' });
  return (seconds, step) => {
    const at = new Date(seconds * 1000);
    const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
    return (step >= daySeconds || isMidnight ? day : time).format(at);
  };
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
  mark.style.insetInlineStart = `${left * 100}%`;
  mark.style.inlineSize = `${(right - left) * 100}%`;
  return mark;
}
