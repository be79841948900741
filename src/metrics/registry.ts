/**
 * Counters, gauges and histograms that are kept, to be written out on request.
 *
 * A series is found by its label values, in the order in which the family names its labels. What is told is
 * plain arithmetic on a map entry, so that a request may pay for it.
 */
import { assert } from '../base/index.ts';
import { type FamilyKind, type Labels, type Sample, writeFamily } from './exposition.ts';

interface Family {
  readonly name: string;
  readonly kind: FamilyKind;
  readonly help: string;
  samples(): Iterable<Sample>;
}

/** A number that only grows. */
export interface Counter {
  add(count: number, ...labels: readonly string[]): void;
}

/** A distribution over fixed bounds. */
export interface Histogram {
  observe(value: number, ...labels: readonly string[]): void;
}

interface Distribution {
  readonly labels: Labels;
  /** One for each bound and one beyond them; not cumulative. */
  readonly counts: number[];
  sum: number;
}

/** See the top of this file. */
export class Registry {
  readonly #families: Family[] = [];

  /** A new counter. */
  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    const series = new Map<string, { readonly labels: Labels; value: number }>();
    this.#families.push({ name, kind: 'counter', help, samples: () => series.values() });
    return {
      add(count, ...labels) {
        const key = labels.join('\0');
        let entry = series.get(key);
        if (entry === undefined) {
          entry = { labels: zip(labelNames, labels), value: 0 };
          series.set(key, entry);
        }
        entry.value += count;
      },
    };
  }

  /** A value, or one for each of several labels, that is asked for when it is written. */
  gauge(name: string, help: string, read: () => number): void {
    this.#families.push({ name, kind: 'gauge', help, samples: () => [{ labels: {}, value: read() }] });
  }

  /** A new histogram; `bounds` ascend, and each value counts for the first that it does not exceed. */
  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    labelNames: readonly string[] = [],
  ): Histogram {
    const series = new Map<string, Distribution>();
    this.#families.push({
      name,
      kind: 'histogram',
      help,
      samples: () => [...series.values()].flatMap((distribution) => samplesOf(distribution, bounds)),
    });
    return {
      observe(value, ...labels) {
        const key = labels.join('\0');
        let entry = series.get(key);
        if (entry === undefined) {
          const counts = new Array<number>(bounds.length + 1).fill(0);
          entry = { labels: zip(labelNames, labels), counts, sum: 0 };
          series.set(key, entry);
        }
        let place = 0;
        while (place < bounds.length && value > bounds[place]!) place++;
        entry.counts[place]!++;
        entry.sum += value;
      },
    };
  }

  /** Everything, as Prometheus reads it. */
  write(): string {
    return this.#families
      .map(({ name, kind, help, samples }) => writeFamily(name, kind, help, samples()))
      .join('');
  }
}

function samplesOf({ labels, counts, sum }: Distribution, bounds: readonly number[]): Sample[] {
  const samples: Sample[] = [];
  let count = 0;
  for (const [i, own] of counts.entries()) {
    count += own;
    const bound = i < bounds.length ? String(bounds[i]) : '+Inf';
    samples.push({ suffix: '_bucket', labels: { ...labels, le: bound }, value: count });
  }
  samples.push({ suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: count });
  return samples;
}

function zip(names: readonly string[], values: readonly string[]): Labels {
  assert(names.length === values.length, `Expected values for the labels ${names.join(', ')}.`);
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
}
