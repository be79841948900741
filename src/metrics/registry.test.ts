import { expect, test } from 'vitest';
import { Registry, writeFamily } from './index.ts';

test('counters, gauges and histograms are written as Prometheus reads them', () => {
  const registry = new Registry();
  const requests = registry.counter('requests_total', 'Requests.', ['route', 'status']);
  const seconds = registry.histogram('seconds', 'Time\nspent.', [0.1, 1], ['route']);
  let level = 3;
  registry.gauge('level', 'Now.', () => level);
  requests.add(1, '/a', '200');
  requests.add(2, '/a', '200');
  requests.add(1, '/b', '404');
  for (const value of [0.1, 0.2, 5]) seconds.observe(value, '/a');
  level = 4;
  expect(registry.write()).toBe(
    `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{route="/a",status="200"} 3
requests_total{route="/b",status="404"} 1
# HELP seconds Time\\nspent.
# TYPE seconds histogram
seconds_bucket{route="/a",le="0.1"} 1
seconds_bucket{route="/a",le="1"} 2
seconds_bucket{route="/a",le="+Inf"} 3
seconds_sum{route="/a"} 5.3
seconds_count{route="/a"} 3
# HELP level Now.
# TYPE level gauge
level 4
`,
  );
});

test('a family without series is left out', () => {
  const registry = new Registry();
  registry.counter('none_total', 'None.', ['a']);
  expect(registry.write()).toBe('');
});

test('label values cannot break out of their quotes, and values that are not finite have their names', () => {
  const labels = { name: 'a"b\\c\nd' };
  const samples = [
    { labels, value: Number.POSITIVE_INFINITY },
    { labels: {}, value: Number.NEGATIVE_INFINITY },
    { labels: {}, value: Number.NaN },
  ];
  expect(writeFamily('x', 'gauge', 'X.', samples).split('\n').slice(2, 5)).toEqual([
    'x{name="a\\"b\\\\c\\nd"} +Inf',
    'x -Inf',
    'x NaN',
  ]);
});

test('a series with other labels than its family is a fault of ours', () => {
  const counter = new Registry().counter('x_total', 'X.', ['a', 'b']);
  expect(() => counter.add(1, 'only one')).toThrow(/labels a, b/);
});
