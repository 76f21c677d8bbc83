/** Paints the lines of a chart, its limit and its axes. */
import { axisSteps, axisTop, timeSteps } from './plot-axis.ts';
import type { LineKind, PlotContent } from './plot-content.ts';

/** The space around the lines, for the axes. */
export const margins = { top: 8, right: 10, bottom: 30, left: 74 } as const;

const axisFont = '12px system-ui, sans-serif';
/** The width that a time on the axis takes. */
const timePixels = 64;
const fillShare = 0.15;

/** The place of the lines, in pixels of the page. */
interface Frame {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
  readonly color: Colors;
  readonly x: (share: number) => number;
  readonly y: (value: number) => number;
}

export interface PaintOptions {
  readonly height: number;
  readonly valueText: (value: number) => string;
  readonly language: string;
}

export function paintPlot(
  canvas: HTMLCanvasElement,
  content: PlotContent,
  paint: PaintOptions,
): void {
  const target = canvas.parentElement;
  const context = canvas.getContext('2d');
  if (target === null || context === null || target.clientWidth === 0) return;
  const ratio = devicePixelRatio;
  canvas.width = Math.round(target.clientWidth * ratio);
  canvas.height = Math.round(paint.height * ratio);
  context.scale(ratio, ratio);
  const width = Math.max(0, target.clientWidth - margins.left - margins.right);
  const height = paint.height - margins.top - margins.bottom;
  const top = axisTop(content);
  const frame: Frame = {
    context,
    width,
    height,
    color: colorsOf(target),
    x: (share) => margins.left + share * width,
    y: (value) => margins.top + (1 - value / top) * height,
  };
  paintAxes(frame, content, top, paint);
  // Nothing is painted above the axes.
  context.beginPath();
  context.rect(margins.left, margins.top, width, height);
  context.clip();
  for (const { kind, values } of content.lines) paintLine(frame, kind, values);
  if (content.limit !== undefined) paintLimit(frame, content.limit);
}

function paintAxes(
  { context, width, height, color, x, y }: Frame,
  { from, to, unit }: PlotContent,
  top: number,
  { valueText, language }: PaintOptions,
): void {
  context.font = axisFont;
  context.fillStyle = color('--quiet');
  context.strokeStyle = color('--line');
  context.beginPath();
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const value of axisSteps(top, unit)) {
    const at = sharp(y(value));
    context.moveTo(margins.left - tickPixels, at);
    context.lineTo(margins.left + width, at);
    context.fillText(valueText(value), margins.left - tickPixels - 5, at);
  }
  context.textAlign = 'center';
  context.textBaseline = 'top';
  const bottom = margins.top + height;
  const timeText = timeTexts(language);
  for (const moment of timeSteps(from, to, Math.max(1, Math.floor(width / timePixels)))) {
    const at = sharp(x((moment - from) / (to - from)));
    context.moveTo(at, margins.top);
    context.lineTo(at, bottom + tickPixels);
    const text = timeText(moment);
    const rightmost = margins.left + width + margins.right - context.measureText(text).width / 2;
    context.fillText(text, Math.min(at, rightmost), bottom + tickPixels + 5);
  }
  context.stroke();
}

const tickPixels = 4;

/** A line of one pixel is sharp between two pixels. */
const sharp = (at: number) => Math.round(at) + 0.5;

/** Paints a line with gaps where nothing was measured, and a point where only one part was. */
function paintLine(frame: Frame, kind: LineKind, values: PlotContent['lines'][number]['values']) {
  const { context, color, x, y } = frame;
  const { name, share, width, isFilled } = lineStyles[kind];
  context.strokeStyle = color(name, share);
  context.fillStyle = isFilled ? color(name, fillShare) : context.strokeStyle;
  context.lineWidth = width;
  context.lineJoin = 'round';
  const place = (at: number) => x((at + 0.5) / values.length);
  for (const { first, heights } of runsOf(values)) {
    context.beginPath();
    if (heights.length === 1) {
      context.arc(place(first), y(heights[0]!), 1.5, 0, 2 * Math.PI);
      context.stroke();
      continue;
    }
    for (const [at, each] of heights.entries()) context.lineTo(place(first + at), y(each));
    context.stroke();
    if (!isFilled) continue;
    context.lineTo(place(first + heights.length - 1), y(0));
    context.lineTo(place(first), y(0));
    context.fill();
  }
}

interface Run {
  readonly first: number;
  readonly heights: number[];
}

function runsOf(values: readonly (number | null)[]): readonly Run[] {
  const runs: Run[] = [];
  let open: Run | undefined;
  for (const [first, value] of values.entries()) {
    if (value === null) {
      open = undefined;
      continue;
    }
    if (open === undefined) runs.push((open = { first, heights: [] }));
    open.heights.push(value);
  }
  return runs;
}

function paintLimit({ context, color, width, y }: Frame, limit: number): void {
  context.strokeStyle = color('--ended');
  context.lineWidth = 1.5;
  context.setLineDash([6, 4]);
  context.beginPath();
  context.moveTo(margins.left, y(limit));
  context.lineTo(margins.left + width, y(limit));
  context.stroke();
}

interface LineStyle {
  readonly name: string;
  readonly share: number;
  readonly width: number;
  readonly isFilled: boolean;
}

const lineStyles: Readonly<Record<LineKind, LineStyle>> = {
  main: { name: '--accent', share: 1, width: 1.5, isFilled: true },
  second: { name: '--quiet', share: 1, width: 1.5, isFilled: true },
  third: { name: '--slowed', share: 1, width: 1.5, isFilled: false },
  peak: { name: '--accent', share: 0.45, width: 1, isFilled: false },
};

type Colors = (name: string, share?: number) => string;

/** Returns colors as the canvas takes them: registered properties have no `light-dark()` left. */
function colorsOf(target: HTMLElement): Colors {
  const style = getComputedStyle(target);
  return (name, share = 1) => {
    const value = style.getPropertyValue(name);
    return share === 1 ? value : value.replace(/^rgb\((.*)\)$/, `rgb($1, ${share})`);
  };
}

/** Returns a function that names a moment on the axis: the day at midnight, else the time. */
function timeTexts(language: string): (moment: number) => string {
  const time = new Intl.DateTimeFormat(language, {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const day = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short' });
  return (moment) => {
    const at = new Date(moment);
    const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
    return (isMidnight ? day : time).format(at);
  };
}
