/**
 * The text format of Prometheus, version 0.0.4:
 *
 *   # HELP name One line.
 *   # TYPE name counter
 *   name{label="value"} 1
 *
 * Backslashes and line feeds are escaped in help texts, and quotes too in label values.
 */

/** Labels of one series. */
export type Labels = { readonly [name: string]: string };

/** A value of one series; `suffix` is what a histogram adds to the name. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

/** The kinds of families that are written here. */
export type FamilyKind = 'counter' | 'gauge' | 'histogram';

/** A family with all its samples; nothing where it has none. */
export function writeFamily(name: string, kind: FamilyKind, help: string, samples: Iterable<Sample>): string {
  let lines = '';
  for (const { labels, value, suffix = '' } of samples) {
    lines += `${name}${suffix}${writeLabels(labels)} ${writeValue(value)}\n`;
  }
  if (lines === '') return '';
  return `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${kind}\n${lines}`;
}

function writeLabels(labels: Labels): string {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${escapeText(value).replaceAll('"', '\\"')}"`,
  );
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function writeValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
